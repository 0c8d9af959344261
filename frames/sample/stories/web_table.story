session dispatch-web tomas cursor perf/shipments-table days=17 hour=9.8

# task | Shipments table stays smooth with 5,000 rows
> Big merchants have 5k open shipments. Scrolling is a slide show, filtering takes two seconds.
## review | Measure before touching
run npx playwright test perf/shipments.spec.ts --reporter=line
| 5,000 rows: first paint 2.9 s, filter keystroke 1,840 ms, scroll 11 fps, heap 412 MB
read src/shipments/ShipmentsTable.tsx
| export function ShipmentsTable({ shipments }: Props) {
|   const [filter, setFilter] = useState("");
|   const rows = shipments.filter((s) => matches(s, filter));
|   return (
|     <table>
|       <tbody>
|         {rows.map((s) => <ShipmentRow key={s.id} shipment={s} onAction={(a) => act(s, a)} />)}
|       </tbody>
|     </table>
|   );
| }
< Three costs: every row is in the DOM (5,000 × 14 cells), `onAction` is a new function per render so no row is ever memoised, and the filter runs on each keystroke before paint.
= 70,000 cells in the DOM, all re-rendered on each keystroke.
> Keep it a real table please, screen readers and copy-paste matter.
DECISION 7: Long tables render a window of rows inside a real <table>, with aria-rowcount and aria-rowindex; no div grids.
## write | Window the rows
run npm i --save-exact @tanstack/react-virtual@3.13.12
| added 2 packages, and audited 1204 packages in 3s
edit src/shipments/ShipmentsTable.tsx
-   const rows = shipments.filter((s) => matches(s, filter));
+   const query = useDeferredValue(filter);
+   const rows = useMemo(() => shipments.filter((s) => matches(s, query)), [shipments, query]);
+   const windowed = useVirtualizer({ count: rows.length, getScrollElement, estimateSize: () => 37, overscan: 12 });
edit src/shipments/ShipmentsTable.tsx
-         {rows.map((s) => <ShipmentRow key={s.id} shipment={s} onAction={(a) => act(s, a)} />)}
+         <Spacer height={windowed.getVirtualItems()[0]?.start ?? 0} />
+         {windowed.getVirtualItems().map(({ index }) => (
+           <ShipmentRow key={rows[index].id} shipment={rows[index]} index={index} onAction={act} />
+         ))}
+         <Spacer height={windowed.getTotalSize() - (windowed.getVirtualItems().at(-1)?.end ?? 0)} />
fail npx vitest run src/shipments
|  FAIL  src/shipments/ShipmentsTable.test.tsx > selects a range with shift-click
| AssertionError: expected [ 'S-3' ] to deeply equal [ 'S-1', 'S-2', 'S-3' ]
|  Test Files  1 failed | 6 passed (7)
### debug | Shift-click forgets its anchor row
read src/shipments/useSelection.ts
| const last = useRef<HTMLTableRowElement>(null);
| function onRowClick(e: MouseEvent, row: HTMLTableRowElement) {
|   if (e.shiftKey && last.current) select(rowsBetween(last.current, row));
|   last.current = row;
| }
< It remembers a DOM element. With windowing that element may be gone or show another shipment. Remember the shipment's id and take the range from the data.
edit src/shipments/useSelection.ts
- const last = useRef<HTMLTableRowElement>(null);
+ const last = useRef<ShipmentId>(null);
run npx vitest run src/shipments
|  ✓ src/shipments/ShipmentsTable.test.tsx (14 tests) 812ms
|  Test Files  7 passed (7)
FACT 5: Selection state must hold shipment ids, never DOM rows: windowed rows are reused for other shipments while scrolling.
= Selection is by shipment id; ranges come from the data.
= About 40 rows are in the DOM whatever the number of shipments.
## subtask | Ctrl-F finds nothing any more
> Support pointed out that the browser's find only finds what's rendered.
< True of every windowed list. Our own filter box takes Ctrl-F while the table has focus, and says so in its placeholder; a second Ctrl-F opens the browser's.
edit src/shipments/FilterBox.tsx
+   useHotkey("mod+f", (e) => { if (document.activeElement !== input.current) { e.preventDefault(); input.current?.focus(); } });
= First Ctrl-F focuses our filter, the second is the browser's.
run npx playwright test perf/shipments.spec.ts --reporter=line
| 5,000 rows: first paint 0.4 s, filter keystroke 38 ms, scroll 60 fps, heap 61 MB
out {"pull_request": 902, "keystroke_ms": 38, "heap_mb": 61}
= 5,000 shipments scroll at 60 fps; a keystroke costs 38 ms instead of 1.8 s; still a real table. PR 902.
