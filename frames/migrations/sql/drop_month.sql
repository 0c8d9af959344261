-- Drops the partition of frames_event that holds one month, if that is over and nothing is in it;
-- says whether it did. SECURITY DEFINER, as its maker; whoever calls it can drop nothing else.
-- Who writes into months past holds the shared lock of this name (frames/partitions.py).
CREATE FUNCTION frames_event_drop_month(month date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    first date := date_trunc('month', month)::date;
    name text := 'frames_event_' || to_char(first, 'YYYYMM');
    filled boolean;
BEGIN
    IF first >= date_trunc('month', now() AT TIME ZONE 'UTC')::date OR to_regclass(name) IS NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('SELECT EXISTS (SELECT 1 FROM %I)', name) INTO filled;
    IF filled THEN
        RETURN false;
    END IF;
    -- Whatever wants the table waits behind us meanwhile.
    PERFORM set_config('lock_timeout', '500ms', true);
    BEGIN
        PERFORM pg_advisory_xact_lock(hashtext('frames_event_months'));
        LOCK TABLE frames_event IN ACCESS EXCLUSIVE MODE;
    EXCEPTION WHEN lock_not_available THEN
        RETURN false;
    END;
    -- Again, now that nobody can be writing into it.
    EXECUTE format('SELECT EXISTS (SELECT 1 FROM %I)', name) INTO filled;
    IF filled THEN
        RETURN false;
    END IF;
    EXECUTE format('ALTER TABLE frames_event DETACH PARTITION %I', name);
    EXECUTE format('DROP TABLE %I', name);
    RETURN true;
END
$$;
