-- The log only grows. The one change allowed is forgetting: details and salt become NULL together.
CREATE FUNCTION workspaces_audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE'
        AND NEW.details IS NULL AND NEW.salt IS NULL
        AND ROW(NEW.id, NEW.workspace_id, NEW.created_at, NEW.seq, NEW.action, NEW.actor_id,
                NEW.key_id, NEW.target, NEW.target_id, NEW.details_digest, NEW.hash)
        IS NOT DISTINCT FROM
            ROW(OLD.id, OLD.workspace_id, OLD.created_at, OLD.seq, OLD.action, OLD.actor_id,
                OLD.key_id, OLD.target, OLD.target_id, OLD.details_digest, OLD.hash)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'The audit log is append-only'
        USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER workspaces_audit_append_only BEFORE UPDATE OR DELETE ON workspaces_audit
    FOR EACH ROW EXECUTE FUNCTION workspaces_audit_append_only();
