-- The journal that the version before unsaved work and saves wrote (schema version 3). It wrote it at
-- 2000-01-01 00:00 UTC, the start of the clock of testing/synctest.
CREATE TABLE goose_db_version (
		id INTEGER PRIMARY KEY AUTOINCREMENT,
		version_id INTEGER NOT NULL,
		is_applied INTEGER NOT NULL,
		tstamp TIMESTAMP DEFAULT (datetime('now'))
	);

CREATE TABLE writer_presence (
    project         TEXT    NOT NULL,
    user            TEXT    NOT NULL,
    session         TEXT    NOT NULL,
    username        TEXT    NOT NULL,
    visitor         INTEGER NOT NULL,
    current_section TEXT    NOT NULL,
    activity        TEXT    NOT NULL,
    seq             INTEGER NOT NULL,
    touched         INTEGER NOT NULL,
    last_seen       INTEGER NOT NULL,
    is_active       INTEGER NOT NULL, checksum INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (project, user, session)
) WITHOUT ROWID;

CREATE TABLE writer_presence_clock (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    clock INTEGER NOT NULL
);

INSERT INTO goose_db_version VALUES (1, 0, 1, '2000-01-01 00:00:00');
INSERT INTO goose_db_version VALUES (2, 1, 1, '2000-01-01 00:00:00');
INSERT INTO goose_db_version VALUES (3, 2, 1, '2000-01-01 00:00:00');
INSERT INTO goose_db_version VALUES (4, 3, 1, '2000-01-01 00:00:00');
INSERT INTO writer_presence_clock VALUES (1, 946684800040);
INSERT INTO writer_presence VALUES ('p', '1', '0123456789abcdef', 'Alice', 0, 'manuscript/abstract', 'editing', 3, 946684800001, 946684800000, 1, 26756550);
INSERT INTO writer_presence VALUES ('p', '1', 'x', 'Alice', 0, 'manuscript/methods', 'idle', 1, 946684800002, 946684800000, 1, 1390263232);
INSERT INTO writer_presence VALUES ('p', '2', 'y', 'Bob', 0, 'manuscript/results', 'viewing', 1, 946684800010, 946684800010, 1, 654036797);
INSERT INTO writer_presence VALUES ('p', '4', 'z', 'Dora', 0, '', '', 5, 0, 946684800040, 0, 3926184467);
INSERT INTO writer_presence VALUES ('p', 'visitor-3', '', 'Čeněk 🖊', 1, '', 'viewing', 0, 946684800020, 946684800020, 1, 2257008027);
