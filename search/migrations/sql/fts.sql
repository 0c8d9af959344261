CREATE VIRTUAL TABLE search_document_fts USING fts5(
    terms, content='search_document', content_rowid='rowid',
    tokenize="unicode61 remove_diacritics 0 tokenchars '._'", detail=full
);
CREATE TRIGGER search_document_fts_insert AFTER INSERT ON search_document BEGIN
    INSERT INTO search_document_fts(rowid, terms) VALUES (new.rowid, new.terms);
END;
CREATE TRIGGER search_document_fts_delete AFTER DELETE ON search_document BEGIN
    INSERT INTO search_document_fts(search_document_fts, rowid, terms) VALUES ('delete', old.rowid, old.terms);
END;
CREATE TRIGGER search_document_fts_update AFTER UPDATE OF terms ON search_document BEGIN
    INSERT INTO search_document_fts(search_document_fts, rowid, terms) VALUES ('delete', old.rowid, old.terms);
    INSERT INTO search_document_fts(rowid, terms) VALUES (new.rowid, new.terms);
END;
