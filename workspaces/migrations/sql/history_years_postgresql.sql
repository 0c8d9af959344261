-- A partition for each year that ids can carry: few, small, and never missing.
DO $$
DECLARE
    year int;
    name text;
    low text;
    high text;
BEGIN
    FOR year IN 2020..2035 LOOP
        name := 'workspaces_history_' || year;
        low := rpad(lpad(to_hex((extract(epoch FROM make_date(year, 1, 1)::timestamp) * 1000)::bigint), 12, '0'), 32, '0');
        high := rpad(lpad(to_hex((extract(epoch FROM make_date(year + 1, 1, 1)::timestamp) * 1000)::bigint), 12, '0'), 32, '0');
        EXECUTE format('CREATE TABLE %I PARTITION OF workspaces_history FOR VALUES FROM (%L) TO (%L)', name, low::uuid, high::uuid);
        -- Read through the parent its policies count; read directly, there are none: no rows.
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    END LOOP;
END
$$;
