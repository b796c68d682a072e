"""What benchmarks and tests share: a throw-away PostgreSQL, traffic that is audited, waiting for conditions."""
