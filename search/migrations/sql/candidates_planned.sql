-- As candidates_by_person.sql, planned with what is asked in sight: the words as a query (`asked`) and
-- the workspace, so that its size and theirs decide how they are looked for. Kinds and types are both
-- held to, or with `either` one of them suffices.
CREATE FUNCTION search_candidates(
    asked tsquery, words text[], weights float8[], person uuid, projects uuid[], kinds text[],
    types text[], either boolean, since timestamptz, until timestamptz, people uuid[], names text[],
    open boolean, least_score float8, most_score float8, files text[], most int
) RETURNS TABLE (id uuid, score float8)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT SET plan_cache_mode = force_custom_plan AS $$
    SELECT d.id, (
        SELECT sum(w.weight * ts_rank(d.terms, w.query))
        FROM unnest(ARRAY(SELECT quote_literal(x)::tsquery FROM unnest(words) x), weights) AS w(query, weight)
        WHERE d.terms @@ w.query
    ) AS score
    FROM search_document d
    WHERE d.workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid
      AND d.terms @@ asked
      AND (d.private_to_id IS NULL OR d.private_to_id = person)
      AND (projects IS NULL OR d.project_id = ANY (projects))
      AND (either OR kinds IS NULL OR d.kind = ANY (kinds))
      AND (either OR types IS NULL OR lower(d.type) = ANY (types))
      AND (NOT either OR d.kind = ANY (kinds) OR lower(d.type) = ANY (types))
      AND (since IS NULL OR d.at >= since)
      AND (until IS NULL OR d.at < until)
      AND (people IS NULL AND names IS NULL OR d.owner_id = ANY (people) OR lower(d.who) = ANY (names))
      AND (open IS NULL OR d.is_open = open)
      AND (least_score IS NULL OR d.score >= least_score)
      AND (most_score IS NULL OR d.score <= most_score)
      AND (files IS NULL OR d.text ~* ANY (files))
    ORDER BY score DESC, d.id
    LIMIT most
$$;
