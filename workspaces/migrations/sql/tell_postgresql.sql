-- Write news down and notify who listens. Called last in a transaction, so that whoever waits for
-- the lock has every other lock already and is about to commit: positions grow in the order of
-- commits, and two writers can never wait for each other.
CREATE FUNCTION workspaces_tell(ws uuid, told jsonb) RETURNS bigint
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    place bigint;
    one jsonb;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('stackmemory news ' || ws::text, 0));
    SELECT greatest(coalesce(max(position), 0), (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
        INTO place FROM workspaces_news WHERE workspace_id = ws;
    FOR one IN SELECT value FROM jsonb_array_elements(told) LOOP
        place := place + 1;
        INSERT INTO workspaces_news
            (id, created_at, workspace_id, position, kind, what, project_id, frame_id, owner_id, ids, count)
        VALUES (
            (one ->> 'row')::uuid, clock_timestamp(), ws, place, one ->> 'kind', one ->> 'what',
            (one ->> 'project')::uuid, (one ->> 'frame')::uuid, (one ->> 'owner')::uuid,
            one -> 'ids', (one ->> 'count')::integer
        );
        PERFORM pg_notify(
            'stackmemory_news',
            (one - 'row' || jsonb_build_object('id', place, 'workspace', ws))::text
        );
    END LOOP;
    RETURN place;
END
$$;
