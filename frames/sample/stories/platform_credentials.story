session platform priya codex ops/rotate-carrier-keys days=3 hour=14.6

# task | Rotate all carrier credentials
in {"goal": "Every carrier key younger than 90 days", "due": "end of month"}
> Audit finding: four carrier keys are older than a year. Rotate them, one carrier at a time, no failed bookings.
## tool_scope | NordPost: two keys side by side
run vault kv metadata get -format=json carriers/nordpost | jq -r .data.updated_time
| 2025-09-02T07:14:51Z
run vault kv put carriers/nordpost key="$(pbpaste)" previous="$(vault kv get -field=key carriers/nordpost)"
| Success! Data written to: secret/data/carriers/nordpost (version 4)
run kubectl -n dispatch rollout restart deploy/web deploy/labels && kubectl -n dispatch rollout status deploy/labels
| deployment "labels" successfully rolled out
= NordPost runs on the new key; the old one was revoked after an hour without a 401.
## tool_scope | CourierOne: key change by support ticket
fail curl -s -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $NEW" https://api.courierone.example/v1/me
| 403
< Their portal shows the new key as “pending approval”. There is no API for it; support ticket C1-88213 opened.
fail curl -s -H "Authorization: Bearer $NEW" https://api.courierone.example/v1/me
| {"error":"key_pending","detail":"Awaiting four-eyes approval by account manager"}
RISK 7: CourierOne disables the old key as soon as the new one is approved, without overlap; bookings fail until we have rolled out.
* Waiting for CourierOne's account manager. Nothing else can be done here.
