session dispatch-api jonas claude-code feat/pickup-wall-time minutes=12

# task | POST /pickups takes wall time and zone
in {"goal": "Accept {day, from, to, zone} beside {start, end}", "constraints": ["old plugins keep working", "422 for both or neither"]}
> Robin's web change waits for this: /pickups has to accept local times with a zone. The contract is written down, one of two shapes, never both.
< I have the contract from the anchors: exactly one of {start, end} and {day, from, to, zone}. A tagged union in the schema says that without code.
## review | Who sends what today?
run psql -c "select client, count(*) from api_request where path = '/pickups' and at > now() - interval '7 days' group by 1 order by 2 desc"
|     client     | count
| ---------------+-------
|  plugin/3.8    |  1904
|  plugin/3.2    |   611
|  web           |   388
|  plugin/2.9    |    17
| (4 rows)
read dispatch/pickups/api.py
| class PickupSpec(Schema):
|     warehouse: str
|     start: AwareDatetime
|     end: AwareDatetime
|
|
| @router.post("/pickups", response={201: PickupOut})
| def schedule(request, spec: PickupSpec):
|     warehouse = get_object_or_404(request.shop.warehouses, ref=spec.warehouse)
|     return 201, Pickup.objects.create(warehouse=warehouse, start=spec.start, end=spec.end)
FACT 4: 17 requests a week still come from plugin 2.9, which sends naive times; they have been read as UTC since 2024.
= Four clients; all but 17 requests a week send UTC. plugin 2.9 sends naive times.
## write | Two shapes, one of them
edit dispatch/pickups/api.py
- class PickupSpec(Schema):
-     warehouse: str
-     start: AwareDatetime
-     end: AwareDatetime
+ class Instants(Schema, extra="forbid"):
+     warehouse: str
+     start: AwareDatetime
+     end: AwareDatetime
+
+
+ class WallTime(Schema, extra="forbid"):
+     warehouse: str
+     day: date
+     from_: time = Field(alias="from")
+     to: time
+     zone: ZoneName
+
+
+ PickupSpec = Instants | WallTime
fail .venv/bin/pytest tests/pickups/test_api.py -q
| FAILED tests/pickups/test_api.py::test_plugin_2_9_still_books - assert 422 == 201
| E   {'detail': [{'loc': ['Instants', 'start'], 'msg': 'Input should have timezone info'}]}
| 1 failed, 11 passed in 2.02s
< AwareDatetime refuses plugin 2.9's naive times. They were accepted by accident, but they are accepted; keep it, and say so in the answer's headers.
edit dispatch/pickups/api.py
-     start: AwareDatetime
-     end: AwareDatetime
+     start: Annotated[datetime, AfterValidator(naive_means_utc)]
+     end: Annotated[datetime, AfterValidator(naive_means_utc)]
run .venv/bin/pytest tests/pickups/test_api.py -q
| ............                                                       [100%]
| 12 passed in 1.98s
DECISION 6: Naive times from plugin 2.9 keep meaning UTC, with a Deprecation header, until the plugin is gone.
### subtask | The hour that happens twice
< 25 October, 02:30 in Lisbon exists twice. `fold=0` is the first one; a pickup at night is refused anyway, but the API should say why.
write tests/pickups/test_clock_change.py
| @pytest.mark.parametrize("day, at", [("2026-10-25", "01:30"), ("2027-03-28", "01:30")])
| def test_times_that_are_ambiguous_or_missing_are_422(client, lisbon, day, at):
|     answer = client.post("/pickups", walltime(lisbon, day, at, "03:30"))
|     assert answer.status_code == 422
|     assert answer.json()["error"]["code"] == "no_such_time"
fail .venv/bin/pytest tests/pickups/test_clock_change.py -q
| FF                                                                 [100%]
| E   assert 201 == 422
| 2 failed in 0.71s
