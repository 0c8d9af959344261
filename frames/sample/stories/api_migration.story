session dispatch-api jonas claude-code hotfix/orders-lock days=15 hour=13.2

# debug | Orders table locked for six minutes during deploy
in {"goal": "Find the cause, make a repeat impossible", "severity": "SEV-1"}
> Deploy 2026.45 hung at the migrate step and every checkout timed out. It's rolled back, the shop is up. Find out why and make sure it cannot happen again. Priya has the graphs.
## review | Read the migration and the locks
run git log --oneline -5 -- dispatch/orders/migrations
| a41c9e2 orders: remember the incoterm
| 90be1f3 orders: index for the returns page
| 77d02a8 orders: drop legacy_ref
| 5c1d9aa orders: split address
| 1f0b7c4 orders: currency is not null
read dispatch/orders/migrations/0041_incoterm.py
| class Migration(migrations.Migration):
|     dependencies = [("orders", "0040_returns_index")]
|
|     operations = [
|         migrations.AddField(
|             "order", "incoterm", models.CharField(max_length=3, null=True)
|         ),
|         migrations.RunPython(backfill, migrations.RunPython.noop),
|     ]
< Two things in one transaction: ADD COLUMN takes ACCESS EXCLUSIVE on `orders_order`, and the backfill that follows updates 11.8 million rows *while that lock is held*. The ALTER alone would have been milliseconds.
fail psql -h replica -c "select pid, mode, granted from pg_locks where relation = 'orders_order'::regclass"
| psql: error: connection to server at "replica" (10.4.2.11), port 5432 failed:
| FATAL:  the database system is not yet accepting connections
* The replica is replaying the rolled-back update; it will need another ten minutes. Using the graphs instead.
run curl -s 'http://prom.internal/api/v1/query?query=max_over_time(pg_locks_count{mode="accessexclusivelock"}[30m])' | jq -r '.data.result[].value[1]'
| 1
FACT 8: Migration 0041_incoterm held ACCESS EXCLUSIVE on orders_order for 6 min 12 s because the backfill ran in the same transaction as ADD COLUMN.
= ADD COLUMN and an 11.8-million-row backfill shared one transaction, so the exclusive lock lasted as long as the backfill.
## write | Three migrations instead of one
< Split: (1) add the nullable column, (2) backfill in batches outside a transaction, (3) NOT NULL through a validated CHECK so that it needs no full-table lock.
write dispatch/orders/migrations/0041_incoterm_column.py
| class Migration(migrations.Migration):
|     dependencies = [("orders", "0040_returns_index")]
|     operations = [
|         migrations.AddField("order", "incoterm", models.CharField(max_length=3, null=True)),
|     ]
write dispatch/orders/migrations/0042_incoterm_backfill.py
| class Migration(migrations.Migration):
|     atomic = False
|     dependencies = [("orders", "0041_incoterm_column")]
|     operations = [
|         migrations.RunPython(in_batches(backfill, size=5_000), migrations.RunPython.noop),
|     ]
fail .venv/bin/python manage.py migrate orders
| django.db.utils.OperationalError: canceling statement due to lock timeout
| CONTEXT:  while updating tuple (18211,4) in relation "orders_order"
< Good news in disguise: the local database has `lock_timeout = 3s` from Priya's branch, and a forgotten psql session holds a row. That is what should happen in production too: fail fast instead of queueing every checkout behind us.
run psql -c "select pg_terminate_backend(pid) from pg_stat_activity where state = 'idle in transaction'"
|  pg_terminate_backend
| ----------------------
|  t
| (1 row)
run .venv/bin/python manage.py migrate orders
| Operations to perform:
|   Apply all migrations: orders
| Running migrations:
|   Applying orders.0041_incoterm_column... OK
|   Applying orders.0042_incoterm_backfill... OK
|   Applying orders.0043_incoterm_not_null... OK
CONSTRAINT 10 pinned: Migrations run with lock_timeout = 3 s and statement_timeout = 15 min; a migration that cannot get its lock fails and is run again.
DECISION 9: A schema change and its backfill never share a migration; a backfill is atomic = False and goes in batches of 5,000.
out {"longest_lock_ms": 9}
= Column, backfill and NOT NULL are three migrations; the longest exclusive lock is 9 ms on a copy of production.
## subtask | A test that reads migrations
< A rule nobody checks will be broken by March. A test can parse each new migration: a schema change together with RunPython in one atomic migration fails.
write tests/test_migrations_are_safe.py
| @pytest.mark.parametrize("path", new_migrations(since="0040"), ids=str)
| def test_schema_and_data_do_not_share_a_transaction(path):
|     migration = load(path)
|     kinds = {type(operation).__name__ for operation in migration.operations}
|     assert not (kinds & SCHEMA and "RunPython" in kinds and migration.atomic), (
|         f"{path.name}: split it, see docs/migrations.md"
|     )
run .venv/bin/pytest tests/test_migrations_are_safe.py -q
| ...                                                                [100%]
| 3 passed in 0.41s
= tests/test_migrations_are_safe.py refuses a migration that mixes schema and data.
RISK 3: 0038_split_address has the same shape; it is harmless only because it already ran everywhere.
< The post-mortem is in the wiki. Two follow-ups: the deploy should stop at a failed migrate *before* it drains the old pods, and the replica needs an alert for recovery mode.
out {"pull_request": 1301, "downtime_minutes": 6}
= The lock came from a backfill inside the ALTER's transaction. Migrations are split, have lock_timeout, and a test keeps it so.
