-- As candidates.sql, with whose it is, whether it is open, how much it matters and which files.
CREATE FUNCTION search_candidates(
    words text[], weights float8[], person uuid, projects uuid[], kinds text[], types text[],
    since timestamptz, until timestamptz, people uuid[], names text[], open boolean,
    least_score float8, most_score float8, files text[], most int
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
      AND (people IS NULL AND names IS NULL OR d.owner_id = ANY (people) OR lower(d.who) = ANY (names))
      AND (open IS NULL OR d.is_open = open)
      AND (least_score IS NULL OR d.score >= least_score)
      AND (most_score IS NULL OR d.score <= most_score)
      AND (files IS NULL OR d.text ~* ANY (files))
    ORDER BY score DESC, d.id
    LIMIT most
$$;
