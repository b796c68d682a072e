# Stand-ins for the public images of PostgreSQL, Prometheus and Alertmanager, as far as docker-compose.yml uses them.
FROM standins AS postgres
ENV PATH=/usr/lib/postgresql/15/bin:$PATH
RUN mkdir -p /var/lib/postgresql/data /docker-entrypoint-initdb.d && chown postgres: /var/lib/postgresql/data \
 && printf '%s\n' '#!/bin/sh' 'set -eu' \
    'chown postgres: /var/run/postgresql /var/lib/postgresql/data' \
    'exec setpriv --reuid=postgres --regid=postgres --clear-groups sh /as-postgres' > /entry \
 && printf '%s\n' '#!/bin/sh' 'set -eu' 'export PGDATA=/var/lib/postgresql/data' \
    'if [ ! -s $PGDATA/PG_VERSION ]; then' \
    '  initdb -U "$POSTGRES_USER" -E UTF8 --auth-host=scram-sha-256 --auth-local=trust --pwfile="$POSTGRES_PASSWORD_FILE" >/dev/null' \
    '  echo "host all all all scram-sha-256" >> $PGDATA/pg_hba.conf' \
    '  pg_ctl -o "-c listen_addresses=" -w start >/dev/null' \
    '  createdb -U "$POSTGRES_USER" "$POSTGRES_DB"' \
    '  for each in /docker-entrypoint-initdb.d/*.sh; do sh "$each"; done' \
    '  pg_ctl -m fast -w stop >/dev/null' \
    'fi' \
    'exec postgres -c listen_addresses="*"' > /as-postgres
VOLUME /var/lib/postgresql/data
STOPSIGNAL SIGINT
ENTRYPOINT ["sh", "/entry"]

FROM standins AS prometheus
RUN mkdir -p /prometheus && chown nobody /prometheus
USER nobody
VOLUME /prometheus
ENTRYPOINT ["prometheus"]

FROM standins AS alertmanager
RUN mkdir -p /alertmanager && chown nobody /alertmanager
USER nobody
VOLUME /alertmanager
ENTRYPOINT ["prometheus-alertmanager"]
