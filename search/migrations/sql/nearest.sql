-- The nearest of a workspace's vectors in a bucket's index, in one round trip: how far the graph is
-- walked (so many in sight, on past them until enough are the workspace's), that it is walked at all
-- (the planner cannot know how few are looked at), and the walk. What the index holds is said by
-- literals, as its predicate is. Runs as who asks.
CREATE FUNCTION search_nearest(
    asked text, workspace uuid, model text, dimension int, bucket int, most int
) RETURNS TABLE (document_id uuid, likeness float8)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM set_config('hnsw.ef_search', '200', true),
        set_config('hnsw.iterative_scan', 'relaxed_order', true),
        set_config('hnsw.max_scan_tuples', '6000', true), set_config('enable_sort', 'off', true);
    RETURN QUERY EXECUTE format(
        'SELECT e.document_id, -(e.vector::halfvec(%1$s) <#> %2$L::halfvec(%1$s))'
        ' FROM search_embedding e WHERE e.bucket = %3$s AND e.model = %4$L AND e.dimension = %1$s'
        ' AND e.workspace_id = %5$L ORDER BY e.vector::halfvec(%1$s) <#> %2$L::halfvec(%1$s) LIMIT %6$s',
        dimension, asked, bucket, model, workspace, most
    );
    PERFORM set_config('enable_sort', 'on', true);
END
$$;
