session dispatch-web me claude-code fix/pickup-time-zone days=1 hour=9.0

# debug | Pickup window is an hour off for Lisbon
> Lisbon warehouse: booked 14–16, driver came at 13. Since the clocks changed. The API sends UTC, so it's us.
## review | Where is the hour lost?
grep "toLocale\|getHours\|new Date(" src/pickup
| src/pickup/PickupPicker.tsx:22:  const start = new Date(`${day}T${from}`);
| src/pickup/PickupPicker.tsx:23:  const end = new Date(`${day}T${to}`);
| src/pickup/format.ts:8:  return d.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
< `new Date("2026-11-21T14:00")` means 14:00 in the *browser's* zone. The office in Berlin books for Lisbon: one hour off. In summer it's also one hour off; nobody noticed because Lisbon had one pickup a month then.
run TZ=Europe/Berlin node -e 'console.log(new Date("2026-11-21T14:00").toISOString())'
| 2026-11-21T13:00:00.000Z
run TZ=Europe/Lisbon node -e 'console.log(new Date("2026-11-21T14:00").toISOString())'
| 2026-11-21T14:00:00.000Z
= Pickup times are built in the browser's zone instead of the warehouse's.
DECISION 8 pinned: Times that happen at a place are kept as local time plus the place's zone (warehouse.time_zone), and become UTC in the API only.
## write | Send wall time and zone
edit src/pickup/PickupPicker.tsx
-   const start = new Date(`${day}T${from}`);
-   const end = new Date(`${day}T${to}`);
-   onPick({ start: start.toISOString(), end: end.toISOString() });
+   onPick({ day, from, to, zone: warehouse.timeZone });
edit src/api/types.ts
- export type Window = { start: string; end: string };
+ export type Window = { day: string; from: string; to: string; zone: string };
fail npx tsc --noEmit
| src/pickup/Summary.tsx(17,34): error TS2339: Property 'start' does not exist on type 'Window'.
| src/orders/Timeline.tsx(52,20): error TS2339: Property 'start' does not exist on type 'Window'.
edit src/pickup/Summary.tsx
- <time dateTime={w.start}>{format(w.start)}</time>
+ <time dateTime={`${w.day}T${w.from}`}>{w.from}–{w.to}</time> <Zone name={w.zone} />
edit src/orders/Timeline.tsx
-   sortBy(windows, (w) => w.start)
+   sortBy(windows, (w) => instant(w))
run npx tsc --noEmit && npx vitest run src/pickup src/orders
|  Test Files  11 passed (11)
|       Tests  86 passed (86)
= The picker sends day, from, to and zone; nothing in the browser converts.
## subtask | The API has to accept it for old clients, too
> Old plugin versions keep sending start/end. Don't break them.
< Then the API takes either shape for now: `start/end` (UTC) as today, or `day/from/to/zone`. I've written the contract down and opened a task for Jonas; the web change waits behind a flag until the API is out.
INTERFACE_CONTRACT 8: POST /pickups takes either {start, end} in UTC or {day, from, to, zone}; exactly one of the two shapes, 422 otherwise.
= Both shapes are accepted until plugin 4.x is gone; the web sends the new one behind the flag pickup-wall-time.
RISK 5: Between 01:00 and 03:00 on the night the clocks change a wall time can be ambiguous or missing; no warehouse picks up then.
out {"pull_request": 940, "flag": "pickup-wall-time"}
= Pickup windows are wall time plus the warehouse's zone. Behind the flag pickup-wall-time until the API accepts it. PR 940.
