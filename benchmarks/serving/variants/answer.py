"""The answer of the variants that decide nothing; it needs no library, as Granian's environment has none of ours."""

ANSWER = (
    b'{"decision":"APROVADO","risk_probability":0.123456789,"threshold":0.31,'
    b'"decision_id":"00000000-0000-7000-8000-000000000000","application_id":null,"model":"credit_scoring:none",'
    b'"policy_version":"policy-0000000000"}'
)
