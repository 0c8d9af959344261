session dispatch-web tomas codex fix/flaky-checkout-e2e days=6 hour=10.1

# debug | checkout.spec.ts fails one run in nine
> Retries hide it, but it cost us two wrong rollbacks. Find it, don't add a wait.
## review | Make it fail on purpose
run for i in $(seq 40); do npx playwright test checkout.spec.ts --retries=0 --reporter=dot; done | grep -c failed
| 5
fail npx playwright test checkout.spec.ts --retries=0 --trace=on --repeat-each=20
|   ✘  checkout.spec.ts:31 › pays with the cheapest rate (6.3s)
|      Error: expect(locator).toHaveText: expected "€ 4.90", received "€ 6.10"
|      at checkout.spec.ts:44:38
< The trace shows the list of rates twice: the first answer (three carriers) renders, the test clicks the first row, then the second answer arrives and sorts a cheaper carrier above. The click went to what *was* the cheapest.
FACT 7: /rates is asked twice in checkout: once with the country's default postcode, again when the address is complete.
= Not the test: between click and confirm the list is replaced and re-sorted. A person can hit this too.
> So it's a real bug. Nice.
## write | One question, one answer
read src/checkout/useRates.ts
| export function useRates(address: Partial<Address>) {
|   const [rates, setRates] = useState<Rate[]>([]);
|   useEffect(() => {
|     api.rates(address).then(setRates);
|   }, [address.country, address.postcode]);
|   return rates;
| }
edit src/checkout/useRates.ts
-   useEffect(() => {
-     api.rates(address).then(setRates);
-   }, [address.country, address.postcode]);
+   useEffect(() => {
+     if (!isComplete(address)) return setRates([]);
+     const asked = new AbortController();
+     api.rates(address, { signal: asked.signal }).then(setRates, ignoreAbort);
+     return () => asked.abort();
+   }, [address.country, address.postcode]);
edit src/checkout/RateList.tsx
- <RateRow key={i} rate={rate} selected={i === chosen} />
+ <RateRow key={rate.id} rate={rate} selected={rate.id === chosen} />
run npx playwright test checkout.spec.ts --retries=0 --repeat-each=120 --reporter=dot
| ························································································································
|   120 passed (6.1m)
DECISION 6: The chosen rate is remembered by id, not by its place in the list; a quote is asked for complete addresses only.
= Rates are asked once the address is complete, late answers are dropped, the choice is kept by id.
CONSTRAINT 6: Playwright retries are 0 on main; a flaky test is a bug with an owner within a day.
out {"pull_request": 931}
= The flake was a real bug: a late answer re-sorted the rates under the buyer's click. 120 of 120 runs pass without retries. PR 931.
