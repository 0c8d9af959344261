session dispatch-api jonas codex fix/label-memory days=12 hour=9.4

# debug | Label worker killed for memory on Black Friday rehearsal
> Rehearsal at 3× load: label workers get OOM-killed at 512 MB. One of them took 40 jobs with it.
## review | Where does the memory go?
run kubectl -n dispatch get pods -l app=labels -o custom-columns=NAME:.metadata.name,RESTARTS:.status.containerStatuses[0].restartCount,REASON:.status.containerStatuses[0].lastState.terminated.reason
| NAME                      RESTARTS   REASON
| labels-6c5f8d7b9c-4xk2v   7          OOMKilled
| labels-6c5f8d7b9c-9wq8m   5          OOMKilled
| labels-6c5f8d7b9c-tz7jd   0          <none>
read dispatch/labels/merge.py
| def merge(shipments: list[Shipment]) -> bytes:
|     """One PDF with every label, in the order of the pick list."""
|     writer = PdfWriter()
|     for shipment in shipments:
|         pdf = storage.get(shipment.label_key)
|         writer.append(PdfReader(BytesIO(pdf)))
|     out = BytesIO()
|     writer.write(out)
|     return out.getvalue()
run .venv/bin/python -m memray run -o merge.bin -m dispatch.labels.bench --shipments 200 && .venv/bin/python -m memray summary merge.bin | head -6
| ┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━┳━━━━━━━━━━┓
| ┃ Location                         ┃ Peak       ┃ Peak %   ┃
| ┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━╇━━━━━━━━━━┩
| │ append at pypdf/_writer.py       │ 611.3 MB   │ 78.40%   │
| │ get at dispatch/storage.py       │ 102.7 MB   │ 13.17%   │
| │ write at pypdf/_writer.py        │  61.2 MB   │  7.85%   │
FACT 6: Carrier labels from NordPost embed the same 2.9 MB font and logo in every PDF; 200 labels merge to 611 MB in memory.
= Every label is parsed and held until the last one is appended; NordPost's labels repeat a 2.9 MB font each.
< Two ways out: (a) raise the limit to 2 GB, (b) merge by streaming pages through qpdf, which deduplicates objects and never holds more than one file. I prefer (b); (a) moves the cliff.
> b, but no new system package in the image please, security just made us justify every one.
## write | Merge without holding everything
fail .venv/bin/pip install pikepdf
| ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.
| pikepdf from /simple/pikepdf: unpinned; with --require-hashes all requirements must be pinned with ==
< Right, locked requirements. Add it to base.in and compile.
edit requirements/base.in
- pypdf
+ pikepdf
run make lock
| requirements/base.txt: pikepdf==9.11.0 added, pypdf==6.1.3 removed
edit dispatch/labels/merge.py
-     writer = PdfWriter()
-     for shipment in shipments:
-         pdf = storage.get(shipment.label_key)
-         writer.append(PdfReader(BytesIO(pdf)))
-     out = BytesIO()
-     writer.write(out)
-     return out.getvalue()
+     with pikepdf.new() as merged, TemporaryDirectory() as folder:
+         for number, shipment in enumerate(shipments):
+             path = storage.download(shipment.label_key, to=f"{folder}/{number}.pdf")
+             with pikepdf.open(path) as label:
+                 merged.pages.extend(label.pages)
+         merged.remove_unreferenced_resources()
+         merged.save(out, object_stream_mode=pikepdf.ObjectStreamMode.generate)
### debug | Labels come out blank
fail .venv/bin/pytest tests/labels/test_merge.py -q
| >       assert text_of(merged, page=0) == "NP 8812 0041 77"
| E       AssertionError: assert '' == 'NP 8812 0041 77'
| tests/labels/test_merge.py:33: AssertionError
| 1 failed, 4 passed in 3.87s
< The source file is closed before `save`, and pikepdf copies lazily. The pages have to be saved while their source is open.
edit dispatch/labels/merge.py
-             with pikepdf.open(path) as label:
-                 merged.pages.extend(label.pages)
+             label = sources.enter_context(pikepdf.open(path))
+             merged.pages.extend(label.pages)
run .venv/bin/pytest tests/labels/test_merge.py -q
| .....                                                              [100%]
| 5 passed in 3.61s
= pikepdf copies lazily: sources stay open until the merged file is saved (ExitStack).
run .venv/bin/python -m dispatch.labels.bench --shipments 200
| peak 88 MB, 4.1 s, output 3.6 MB (was 611 MB, 9.7 s, 571 MB)
= Merging streams pages and shares fonts: 200 labels peak at 88 MB instead of 611 MB.
DECISION 7: Labels are merged with pikepdf (qpdf), never with pure-Python PDF libraries; sources live in a temporary folder, not in memory.
CONSTRAINT 6: A label worker must finish 200 labels under 256 MB; bench/labels in CI fails above that.
TODO 3: Ask NordPost for labels without the embedded font (their ZPL endpoint has none).
out {"pull_request": 1317, "peak_mb": 88}
= Label workers stay under 90 MB at 200 labels. pypdf is gone, pikepdf merges by page and shares fonts. PR 1317.
