session dispatch-api maya cursor feat/rates-cache days=13 hour=14.1

# task | Rate quotes answer under 50 ms
> Checkout waits 400–900 ms for /rates. Carriers are slow, prices change once a night. Cache it.
## review | What is asked, how often, how equal
read dispatch/rates/engine.py
| def quote(parcel: Parcel, to: Address) -> list[Quote]:
|     zone = zones.lookup(to.country, to.postcode)
|     return sorted(
|         (carrier.quote(parcel, zone) for carrier in carriers.enabled(parcel.shop)),
|         key=attrgetter("price"),
|     )
run psql -c "select count(*), count(distinct (shop_id, zone, weight_class, size_class)) from rates_request where at > now() - interval '1 day'"
|  count  | count
| --------+-------
|  402117 |  6310
| (1 row)
FACT 6: 402,000 rate requests a day have only 6,310 distinct keys (shop, zone, weight class, size class).
= 64 requests per distinct key and day: a cache with even a short life answers 98 %.
DECISION 6 key=rates-redis: Rate quotes are cached in Redis for 15 minutes, keyed by (shop, zone, weight class, size class).
## write | Cache around the engine
edit dispatch/rates/engine.py
- def quote(parcel: Parcel, to: Address) -> list[Quote]:
-     zone = zones.lookup(to.country, to.postcode)
+ def quote(parcel: Parcel, to: Address) -> list[Quote]:
+     zone = zones.lookup(to.country, to.postcode)
+     key = f"rates:{parcel.shop_id}:{zone}:{parcel.weight_class}:{parcel.size_class}"
+     if (cached := cache.get(key)) is not None:
+         return cached
run .venv/bin/pytest tests/rates -q
| ............................                                       [100%]
| 28 passed in 4.90s
run .venv/bin/python bench/rates --requests 2000
| p50 7 ms  p95 31 ms  p99 612 ms   hits 97.4 %
= Hits answer in 7 ms; misses still pay the carrier.
RISK 5: For up to 15 minutes after a merchant changes their price table, checkout shows the old price.
out {"p95_ms": 31}
= /rates answers in 7 ms (p50) from Redis; 97 % of requests hit.

session dispatch-api maya claude-code fix/rates-stale-prices days=4 hour=9.1

# debug | Merchants see yesterday's prices after an upload
> Three tickets this week: merchant uploads a price table, checkout shows the old prices "for a while", they call support. It's our 15 minutes. Kattfot sold 40 parcels at the old price.
## review | Who reads the cache, and who writes prices
grep "rates:" --include=*.py
| dispatch/rates/engine.py:31:    key = f"rates:{parcel.shop_id}:{zone}:{parcel.weight_class}:{parcel.size_class}"
| dispatch/pricing/upload.py:72:    # TODO rates: cache should be cleared here
| dispatch/backoffice/shops.py:118:    cache.delete_pattern(f"rates:{shop.pk}:*")
< The back office deletes by pattern (a SCAN over all keys, 4 s in production); the upload does not delete at all. Deleting more would be chasing: the key should contain what the answer depends on.
= The upload never invalidates, the back office does it with a four-second SCAN. The key lacks the price table's version.
DECISION 8 replaces=rates-redis: Rate quotes are cached in PostgreSQL (unlogged table) keyed by the price table's version as well; a new upload is a new key, nothing is ever invalidated.
## write | Version in the key, table instead of Redis
write dispatch/rates/migrations/0012_quote_cache.py
| class Migration(migrations.Migration):
|     operations = [
|         migrations.CreateModel("CachedQuote", fields=[...]),
|         migrations.RunSQL("ALTER TABLE rates_cachedquote SET UNLOGGED", "ALTER TABLE rates_cachedquote SET LOGGED"),
|     ]
edit dispatch/rates/engine.py
-     key = f"rates:{parcel.shop_id}:{zone}:{parcel.weight_class}:{parcel.size_class}"
-     if (cached := cache.get(key)) is not None:
-         return cached
+     key = QuoteKey(parcel.shop.price_table_version, zone, parcel.weight_class, parcel.size_class)
+     if (cached := CachedQuote.objects.fresh(key)) is not None:
+         return cached.quotes
### debug | Version is read from a stale shop
fail .venv/bin/pytest tests/rates/test_upload_changes_price.py -q
| >       assert quote(parcel, BERLIN)[0].price == Money("6.10", "EUR")
| E       AssertionError: assert Money('5.40', 'EUR') == Money('6.10', 'EUR')
| 1 failed in 1.12s
read dispatch/pricing/upload.py
| def apply(upload: Upload) -> None:
|     with transaction.atomic():
|         PriceRow.objects.filter(shop=upload.shop).delete()
|         PriceRow.objects.bulk_create(upload.rows())
|         upload.shop.price_table_version = F("price_table_version") + 1
|         upload.shop.save(update_fields=["price_table_version"])
< The upload is right. The test (and checkout!) holds a `Shop` loaded before it. In checkout that is a request-long object: fine. In the long-running label worker it is not.
edit dispatch/rates/engine.py
-     key = QuoteKey(parcel.shop.price_table_version, zone, parcel.weight_class, parcel.size_class)
+     version = Shop.objects.values_list("price_table_version", flat=True).get(pk=parcel.shop_id)
+     key = QuoteKey(version, zone, parcel.weight_class, parcel.size_class)
run .venv/bin/pytest tests/rates -q
| .................................                                  [100%]
| 33 passed in 5.20s
= The version is read by its own one-column query; a Shop object may be older than the upload.
run .venv/bin/python bench/rates --requests 2000
| p50 9 ms  p95 28 ms  p99 590 ms   hits 97.1 %
= 2 ms slower than Redis, never stale, one moving part less.
FACT 5: An unlogged table with an upsert costs 2 ms more than Redis at our size (p50 9 ms against 7 ms).
< Redis now only holds sessions. If Priya moves those, the Redis bill (140 € a month) goes.
out {"pull_request": 1339, "p95_ms": 28}
= A new price table is effective at once: its version is part of the cache key. Redis is no longer used for rates. PR 1339.
