session dispatch-api maya claude-code feat/customs-uk minutes=3

# task | Customs declarations for parcels to the UK
in {"goal": "CN23 data with every parcel EU → GB before 1 December", "constraints": ["HS codes come from the merchant", "no parcel without a declaration"]}
> From December every parcel to the UK needs a full electronic declaration: HS code per line, origin, incoterm, EORI. We have incoterm since last week. Let's plan the rest and start with the model.
< I'd split this in three: (1) what a declaration is and where its parts come from, (2) refusing to book without one, (3) sending it to the carriers. Carriers differ; let me read their documents first.
## review | What do the carriers want?
fetch https://developer.nordpost.example/customs/v3
| POST /v3/declarations
| lines[]: description (max 50, no “gift”), hsCode (6–10 digits), originCountry (ISO 3166-1 alpha-2), quantity, netWeightGrams, value {amount, currency}
| sender.eori (required from 2026-12-01), recipient.taxId (optional below 135 GBP)
| incoterm: DAP | DDP
fetch https://api.courierone.example/docs#declarations
| /customs: multipart, CN23 as PDF + JSON. 'commodityCode' exactly 8 digits. 'reasonForExport' SALE | RETURN | GIFT | SAMPLE
grep hs_code
| dispatch/catalog/models.py:27:    hs_code = models.CharField(max_length=12, blank=True)
| dispatch/catalog/importers/shopify.py:90:        hs_code=variant.get("harmonized_system_code") or "",
run psql -c "select length(hs_code), count(*) from catalog_product where exists (select 1 from orders_line l join orders_order o on o.id = l.order_id where l.product_id = catalog_product.id and o.country = 'GB') group by 1 order by 1"
|  length | count
| --------+-------
|       0 |  4117
|       6 |  9822
|       8 |  2240
|      10 |   318
| (4 rows)
FACT 7: 4,117 of 16,497 products sold to the UK have no HS code; 9,822 have six digits, CourierOne wants exactly eight.
= NordPost takes 6–10 digits and wants the sender's EORI; CourierOne wants exactly eight digits and a PDF. A quarter of the products have no code.
CONSTRAINT 9 pinned: A parcel to the UK is not booked without a complete declaration; a missing HS code is an error the merchant can mend, never a default code.
INTERFACE_CONTRACT 7: Declaration lines are (description ≤ 50, hs_code 6–10 digits, origin ISO-2, quantity, net grams, value); carriers adapt from that, nobody else builds their format.
DECISION 7: A declaration is frozen when the label is printed; later corrections make a new version with its own number.
## write | Declaration and its lines
write dispatch/customs/models.py
| class Declaration(models.Model):
|     """What customs is told about one parcel. Frozen once the label is printed."""
|
|     parcel = models.ForeignKey("shipments.Parcel", on_delete=models.PROTECT)
|     version = models.PositiveSmallIntegerField(default=1)
|     incoterm = models.CharField(max_length=3, choices=Incoterm.choices)
|     sender_eori = models.CharField(max_length=17, validators=[eori])
|     frozen_at = models.DateTimeField(null=True)
|
|     class Meta:
|         constraints = [
|             models.UniqueConstraint(fields=["parcel", "version"], name="declaration_version"),
|         ]
run .venv/bin/python manage.py makemigrations customs
| Migrations for 'customs':
|   dispatch/customs/migrations/0001_initial.py
|     + Create model Declaration
|     + Create model Line
run .venv/bin/pytest tests/customs tests/test_migrations_are_safe.py -q
| .........                                                          [100%]
| 9 passed in 1.66s
= Declaration with versions and lines; frozen when printed.
## subtask | Refuse to book without a declaration
< The check belongs where the carrier is chosen, because a return from the UK needs none.
edit dispatch/shipments/api.py
-     booking, mine = Booking.objects.get_or_create(order=order)
+     declaration = customs.complete_declaration(order)  # raises CannotDeclare with what is missing
+     booking, mine = Booking.objects.get_or_create(order=order)
run .venv/bin/pytest tests/shipments -q
| ..........................................                         [100%]
| 42 passed in 11.51s
### debug | Northern Ireland is not Great Britain
fail .venv/bin/pytest tests/customs/test_which_parcels.py -q
| FAILED tests/customs/test_which_parcels.py::test_belfast_needs_none - CannotDeclare: line 1: HS code missing
| FAILED tests/customs/test_which_parcels.py::test_bt_postcode_lower_case - CannotDeclare: line 1: HS code missing
| 2 failed, 7 passed in 0.92s
< BT postcodes follow EU rules for goods. Country code is GB for both, so the postcode decides. The zone table knows about BT already.
grep "BT" dispatch/rates/zones.py
| 41:    # Northern Ireland: EU single market for goods, own zone since 2021
| 42:    ("GB", re.compile(r"BT\d", re.I)): Zone.NI,
edit dispatch/customs/rules.py
-     return order.country == "GB"
+     return zones.lookup(order.country, order.postcode) is Zone.GB
fail .venv/bin/pytest tests/customs/test_which_parcels.py -q
| FAILED tests/customs/test_which_parcels.py::test_jersey_needs_one - AssertionError: assert not True
| 1 failed, 8 passed in 0.88s
> Jersey and Guernsey are outside the UK customs territory but we ship there as GB. Ask Priya's contact at NordPost? For now treat like GB.
TODO 6: Confirm with NordPost whether Jersey and Guernsey take the same declaration as GB.
< Treating JE/GY postcodes like GB, with a test that says so.
edit dispatch/customs/rules.py
-     return zones.lookup(order.country, order.postcode) is Zone.GB
+     return zones.lookup(order.country, order.postcode) in {Zone.GB, Zone.CHANNEL}
#### tool_scope | Which postcodes does the zone table know?
read dispatch/rates/zones.py
| ZONES = {
|     ("GB", re.compile(r"BT\d", re.I)): Zone.NI,
|     ("GB", re.compile(r"(JE|GY)\d", re.I)): Zone.CHANNEL,
|     ("GB", None): Zone.GB,
run .venv/bin/python -c "from dispatch.rates.zones import lookup; print([(p, lookup('GB', p).name) for p in ('BT1 5GS', 'bt71ab', 'JE2 3AB', 'IM1 1AD', 'ZE1 0AA')])"
| [('BT1 5GS', 'NI'), ('bt71ab', 'NI'), ('JE2 3AB', 'CHANNEL'), ('IM1 1AD', 'GB'), ('ZE1 0AA', 'GB')]
* The Isle of Man (IM) is in the UK customs union, so GB is right for it. Shetland, too.
grep "Zone\.CHANNEL"
| dispatch/rates/zones.py:43:    ("GB", re.compile(r"(JE|GY)\d", re.I)): Zone.CHANNEL,
| dispatch/rates/carriers/nordpost.py:118:    Zone.CHANNEL: Surcharge("remote", Money("9.50", "EUR")),
