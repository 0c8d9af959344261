-- The log only grows. The one change allowed is forgetting: details and salt become NULL together.
CREATE TRIGGER workspaces_audit_no_delete BEFORE DELETE ON workspaces_audit
BEGIN
    SELECT RAISE(ABORT, 'The audit log is append-only');
END;
CREATE TRIGGER workspaces_audit_no_update BEFORE UPDATE ON workspaces_audit
WHEN NOT (
    NEW.details IS NULL AND NEW.salt IS NULL
    AND NEW.id IS OLD.id AND NEW.workspace_id IS OLD.workspace_id
    AND NEW.created_at IS OLD.created_at AND NEW.seq IS OLD.seq AND NEW.action IS OLD.action
    AND NEW.actor_id IS OLD.actor_id AND NEW.key_id IS OLD.key_id AND NEW.target IS OLD.target
    AND NEW.target_id IS OLD.target_id AND NEW.details_digest IS OLD.details_digest
    AND NEW.hash IS OLD.hash
)
BEGIN
    SELECT RAISE(ABORT, 'The audit log is append-only');
END;
-- INSERT OR REPLACE deletes without firing the trigger above.
CREATE TRIGGER workspaces_audit_no_replace BEFORE INSERT ON workspaces_audit
WHEN EXISTS (
    SELECT 1 FROM workspaces_audit
    WHERE id = NEW.id OR (workspace_id = NEW.workspace_id AND seq = NEW.seq)
)
BEGIN
    SELECT RAISE(ABORT, 'The audit log is append-only');
END;
