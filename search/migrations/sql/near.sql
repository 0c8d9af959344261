-- The approximate index of one bucket of one model's vectors, made when the bucket gets its first
-- workspace and empty then; true where it exists. As the owner, for the application makes no tables.
-- HNSW takes a fixed dimension, and halfvec up to 4,000 numbers.
CREATE FUNCTION search_near_index(model text, dimension int, bucket int) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF dimension NOT BETWEEN 1 AND 4000 OR bucket NOT BETWEEN 0 AND 15 THEN
        RETURN false;
    END IF;
    EXECUTE format(
        'CREATE INDEX IF NOT EXISTS %I ON search_embedding'
        ' USING hnsw ((vector::halfvec(%s)) halfvec_ip_ops)'
        ' WHERE model = %L AND dimension = %s AND bucket = %s',
        format('embedding_near_%s_%s', left(md5(format('%s %s', model, dimension)), 10), bucket),
        dimension, model, dimension, bucket
    );
    RETURN true;
END
$$;
