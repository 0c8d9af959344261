-- Row-level security keeps PostgreSQL from using a GIN index for @@, which is not leakproof. These
-- functions run as the owner and carry the filter inside: only rows of the workspace in scope.

-- The best documents for any of `words`, each weighing `weights` (its rarity), by ts_rank.
CREATE FUNCTION search_candidates(
    words text[], weights float8[], person uuid, projects uuid[], kinds text[], types text[],
    since timestamptz, until timestamptz, most int
) RETURNS TABLE (id uuid, score float8)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT d.id, (
        SELECT sum(w.weight * ts_rank(d.terms, w.query))
        FROM unnest(ARRAY(SELECT quote_literal(x)::tsquery FROM unnest(words) x), weights) AS w(query, weight)
        WHERE d.terms @@ w.query
    ) AS score
    FROM search_document d
    WHERE d.workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid)
      AND d.terms @@ (SELECT string_agg(quote_literal(x), ' | ')::tsquery FROM unnest(words) x)
      AND (d.private_to_id IS NULL OR d.private_to_id = person)
      AND (projects IS NULL OR d.project_id = ANY (projects))
      AND (kinds IS NULL OR d.kind = ANY (kinds))
      AND (types IS NULL OR lower(d.type) = ANY (types))
      AND (since IS NULL OR d.at >= since)
      AND (until IS NULL OR d.at < until)
    ORDER BY score DESC, d.id
    LIMIT most
$$;

-- In how many documents of the workspace (of the projects) each word stands, counted up to `most`.
CREATE FUNCTION search_word_counts(words text[], projects uuid[], most int)
RETURNS TABLE (word text, documents bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT x, (
        SELECT count(*) FROM (
            SELECT 1 FROM search_document d
            WHERE d.workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid)
              AND d.terms @@ quote_literal(x)::tsquery
              AND (projects IS NULL OR d.project_id = ANY (projects))
            LIMIT most
        ) counted
    )
    FROM unnest(words) x
$$;
