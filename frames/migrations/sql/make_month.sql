-- Makes the partition of frames_event that holds one month, by the time inside its UUIDv7 keys.
-- SECURITY DEFINER: the application's role may add months without owning the table.
CREATE FUNCTION frames_event_make_month(month date) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    first date := date_trunc('month', month)::date;
    name text := 'frames_event_' || to_char(first, 'YYYYMM');
    low text := rpad(lpad(to_hex((extract(epoch FROM first::timestamp) * 1000)::bigint), 12, '0'), 32, '0');
    high text := rpad(lpad(to_hex((extract(epoch FROM (first + interval '1 month')::timestamp) * 1000)::bigint), 12, '0'), 32, '0');
BEGIN
    IF first < date '2020-01-01' OR first >= date '2036-01-01' THEN
        RAISE EXCEPTION 'month % is outside the window of event ids', first;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('frames_event_make_month'));
    IF to_regclass(name) IS NULL THEN
        EXECUTE format('CREATE TABLE %I PARTITION OF frames_event FOR VALUES FROM (%L) TO (%L)', name, low::uuid, high::uuid);
        -- Read through the parent its policies count; read directly, there are none: no rows.
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    END IF;
    RETURN name;
END
$$;
