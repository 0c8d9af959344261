"""Pieces of code and output for everyday work, by language. $name, $noun and $path are filled in."""

from __future__ import annotations

import random
from string import Template

PYTHON = (
    '''\
def $name(shop: Shop, *, now: datetime | None = None) -> list[Row]:
    """What the $noun page shows: newest first, at most a hundred."""
    now = now or timezone.now()
    rows = shop.$noun.filter(created_at__gte=now - KEEP).order_by("-created_at", "-id")
    return [Row.of(item) for item in rows[:100]]
''',
    """\
@router.get("/$noun/{ref}", response=Out)
def detail(request, ref: str):
    item = get_object_or_404(request.shop.$noun, ref=ref)
    return Out.of(item)


@router.post("/$noun", response={201: Out})
def create(request, spec: Spec):
    item = $name(request.shop, **spec.dict())
    return 201, Out.of(item)
""",
    '''\
class $Noun(models.Model):
    shop = models.ForeignKey("merchants.Shop", on_delete=models.CASCADE, related_name="$noun")
    ref = models.CharField(max_length=40)
    state = models.CharField(max_length=12, choices=State.choices, default=State.OPEN)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["shop", "ref"], name="$noun_ref")]

    def $name(self) -> None:
        """Idempotent: a second call finds nothing to do."""
''',
    """\
log = logging.getLogger(__name__)


def $name(*args: Any, **options: Any) -> int:
    done = 0
    for item in pending(limit=options.get("limit", 500)):
        try:
            item.process()
        except CarrierError as error:
            log.warning("$noun %s: %s", item.pk, error)
            continue
        done += 1
    return done
""",
    """\
@pytest.fixture
def $noun(shop, clock):
    return [make_$noun(shop, at=clock.tick(minutes=5)) for _ in range(3)]


def test_$name_keeps_order(shop, $noun):
    assert [row.ref for row in $name(shop)] == ["C", "B", "A"]


def test_$name_of_another_shop_is_404(client, other_shop, $noun):
    assert client.get(f"/$noun/{$noun[0].ref}").status_code == 404
""",
    """\
HALF_UP = decimal.ROUND_HALF_UP
CENT = Decimal("0.01")


def $name(lines: Iterable[Line]) -> Totals:
    net: dict[Decimal, Decimal] = defaultdict(Decimal)
    for line in lines:
        net[line.rate] += line.price * line.quantity
    return Totals(net=sum(net.values()), by_rate=dict(net))
""",
)

TYPESCRIPT = (
    """\
export function $name({ items, onPick }: Props) {
  const [query, setQuery] = useState("");
  const shown = useMemo(() => items.filter((i) => matches(i, query)), [items, query]);
  return (
    <section aria-labelledby="$noun-title">
      <h2 id="$noun-title">{t("$noun.title")}</h2>
      <FilterBox value={query} onChange={setQuery} />
      {shown.map((i) => <Item key={i.id} item={i} onPick={onPick} />)}
    </section>
  );
}
""",
    """\
export async function request<T>(path: string, options: Options = {}): Promise<T> {
  const response = await fetch(base + path, { ...options, credentials: "include" });
  if (!response.ok) throw await ApiError.from(response);
  return response.status === 204 ? (undefined as T) : response.json();
}
""",
    """\
describe("$name", () => {
  it("shows an empty state that says what to do", () => {
    render(<$name items={[]} onPick={noop} />);
    expect(screen.getByRole("link", { name: /import/i })).toHaveAttribute("href", "/$noun/new");
  });

  it("keeps focus when the list changes", async () => {
    const { rerender } = render(<$name items={three} onPick={noop} />);
    await userEvent.tab();
    rerender(<$name items={two} onPick={noop} />);
    expect(document.activeElement).not.toBe(document.body);
  });
});
""",
    """\
type State = { status: "idle" | "loading" | "failed"; items: Item[]; error?: string };

function reduce(state: State, action: Action): State {
  switch (action.type) {
    case "asked":
      return { ...state, status: "loading" };
    case "answered":
      return { status: "idle", items: action.items };
    case "failed":
      return { ...state, status: "failed", error: action.error.message };
  }
}
""",
    """\
const formatter = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });

export const $name = (at: string) => formatter.format(new Date(at));
""",
)

YAML = (
    """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "dispatch.fullname" . }}-$noun
spec:
  replicas: {{ .Values.$noun.replicas }}
  template:
    spec:
      terminationGracePeriodSeconds: 40
      containers:
        - name: $noun
          image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
          resources: {{- toYaml .Values.$noun.resources | nindent 12 }}
""",
    """\
groups:
  - name: $noun
    rules:
      - record: burn_rate:5m
        expr: (1 - sum(rate(http_ok[5m])) / sum(rate(http_all[5m]))) / 0.001
      - alert: $name
        expr: burn_rate:5m > 14.4 and burn_rate:1h > 14.4
        labels: {severity: page}
""",
    """\
suite: $noun
templates: [$path]
tests:
  - it: renders with the defaults
    asserts:
      - hasDocuments: {count: 1}
      - isNotEmpty: {path: spec}
""",
    """\
$noun:
  replicas: 2
  resources:
    requests: {cpu: 200m, memory: 256Mi}
    limits: {memory: 512Mi}
  env:
    LOG_LEVEL: info
""",
)

LOGS = (
    "a41c9e2 $noun: one query instead of one a row\n90be1f3 $noun: name the constraint\n77d02a8 $noun: first version",
    "5c1d9aa $noun: fix rounding in the summary\n1f0b7c4 tests: clock fixture\ne2b97d1 $noun: drop the unused flag",
    "c0ffee1 $noun: types\n8d21b77 merge: main into $noun\n3b9a0f2 $noun: keep what the merchant wrote",
)


def fill(template: str, *, name: str, path: str) -> str:
    parts = path.split("/")
    noun = parts[1] if len(parts) > 2 else parts[0]
    return Template(template).safe_substitute(name=name, noun=noun, Noun=noun.title(), path=path)


def excerpt(path: str, name: str, dice: random.Random) -> str:
    """Something that could stand in this file."""
    bank: tuple[str, ...] = YAML
    if path.endswith(".py"):
        bank = PYTHON
    elif path.endswith((".ts", ".tsx", ".html", ".css")):
        bank = TYPESCRIPT
    count = dice.choice((1, 2, 2))
    return "\n\n".join(fill(s, name=name, path=path) for s in dice.sample(bank, count))


def references(path: str, name: str, dice: random.Random) -> str:
    """What a search for the name would find."""
    folder, _, file = path.rpartition("/")
    stem, dot, suffix = file.rpartition(".")
    places = [path, f"{folder}/{stem}_test{dot}{suffix}", f"{folder}/__init__{dot}{suffix}"]
    if path.endswith(".py"):
        uses = (
            f"from {folder.replace('/', '.')}.{stem} import {name}",
            f"    {name}(shop)",
            f"def {name}(",
        )
    elif path.endswith((".ts", ".tsx")):
        uses = (
            f'import {{ {name} }} from "./{stem}";',
            f"  {name}(props)",
            f"export const {name} =",
        )
    else:
        uses = (f"{name}: true", f"  # {name}: see docs", f"  name: {name}")
    lines = [
        f"{dice.choice(places)}:{dice.randrange(4, 240)}:{dice.choice(uses)}"
        for _ in range(dice.randrange(3, 8))
    ]
    return "\n".join(sorted(set(lines)))
