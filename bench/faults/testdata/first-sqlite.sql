-- A database of the first schema, with what the first version wrote: eight people, the odd ones in a group, a key, and 24
-- letters of publisher 2000. TestUpgrade brings it to the newest one.
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE goose_db_version (
		id INTEGER PRIMARY KEY AUTOINCREMENT,
		version_id INTEGER NOT NULL,
		is_applied INTEGER NOT NULL,
		tstamp TIMESTAMP DEFAULT (datetime('now'))
	);
INSERT INTO goose_db_version VALUES(1,0,1,'2026-11-22 08:25:30');
INSERT INTO goose_db_version VALUES(2,1,1,'2026-11-22 08:25:30');
CREATE TABLE log_head (
    id      integer  PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    epoch   text     NOT NULL,
    head    integer   NOT NULL DEFAULT 0,
    trimmed integer   NOT NULL DEFAULT 0
);
INSERT INTO log_head VALUES(1,'838f469271',28,0);
CREATE TABLE entries (
    log_offset   integer PRIMARY KEY,
    kind         text   NOT NULL,
    subject      integer NOT NULL,           -- what it is about; its own offset where it begins something new
    actor        text   NOT NULL DEFAULT '',
    topic        text   NOT NULL DEFAULT '',
    collapse_key text   NOT NULL DEFAULT '',
    audiences    text   NOT NULL,           -- separated by spaces; recipients holds the same as an index
    payload      text   NOT NULL,           -- JSON
    created_at   integer NOT NULL,
    expires_at   integer,
    withdrawn_at integer
);
INSERT INTO entries VALUES(1,'membership',1,'','','','user:2','{"group_id":1,"joined_offset":1}',1795335935826,NULL,NULL);
INSERT INTO entries VALUES(2,'membership',2,'','','','user:4','{"group_id":1,"joined_offset":2}',1795335935826,NULL,NULL);
INSERT INTO entries VALUES(3,'membership',3,'','','','user:6','{"group_id":1,"joined_offset":3}',1795335935826,NULL,NULL);
INSERT INTO entries VALUES(4,'membership',4,'','','','user:8','{"group_id":1,"joined_offset":4}',1795335935826,NULL,NULL);
INSERT INTO entries VALUES(5,'notice',5,'key:1','','','user:2','{"title":"toll","body":"","format":"text","url":null,"actions":[],"severity":"info","category":null,"sender":{"type":"key","name":"load"},"data":{"publisher":2000,"number":1},"collapse_key":null,"expires_at":null}',1795335937779,NULL,NULL);
INSERT INTO entries VALUES(6,'notice',6,'key:1','','','group:1','{"title":"toll","body":"","format":"text","url":null,"actions":[],"severity":"info","category":null,"sender":{"type":"key","name":"load"},"data":{"publisher":2000,"number":2},"collapse_key":null,"expires_at":null}',1795335937875,NULL,NULL);
INSERT INTO entries VALUES(7,'notice',7,'key:1','','','user:1 user:4','{"title":"toll","body":"","format":"text","url":null,"actions":[],"severity":"info","category":null,"sender":{"type":"key","name":"load"},"data":{"publisher":2000,"number":3},"collapse_key":null,"expires_at":null}',1795335938006,NULL,NULL);
INSERT INTO entries VALUES(8,'notice',8,'key:1','','','everyone','{"title":"toll","body":"","format":"text","url":null,"actions":[],"severity":"info","category":null,"sender":{"type":"key","name":"load"},"data":{"publisher":2000,"number":4},"collapse_key":null,"expires_at":null}',1795335938168,NULL,NULL);
INSERT INTO entries VALUES(9,'notice',9,'key:1','','','user:6','{"title":"toll","body":"","format":"text","url":null,"actions":[],"severity":"info","category":null,"sender":{"type":"key","name":"load"},"data":{"publisher":2000,"number":5},"collapse_key":null,"expires_at":null}',1795335938331,NULL,NULL);
INSERT INTO entries VALUES(10,'notice',10,'key:1','','','group:1','{"title":"toll","body":"","format":"text","url":null,"actions":[],"severity":"info","category":null,"sender":{"type":"key","name":"load"},"data":{"publisher":2000,"number":6},"collapse_key":null,"expires_at":null}',1795335938443,NULL,NULL);
INSERT INTO entries VALUES(11,'notice',11,'key:1','','','user:1 user:8','{"title":"toll","body":"","format":"text","url":null,"actions":[],"severity":"info","category":null,"sender":{"type":"key","name":"load"},"data":{"publisher":2000,"number":7},"collapse_key":null,"expires_at":null}',1795335938509,NULL,NULL);
INSERT INTO entries VALUES(12,'notice',12,'key:1','','','everyone','{"title":"toll","body":"","format":"text","url":null,"actions":[],"severity":"info","category":null,"sender":{"type":"key","name":"load"},"data":{"publisher":2000,"number":8},"collapse_key":null,"expires_at":null}',1795335938615,NULL,NULL);
INSERT INTO entries VALUES(13,'notice',13,'key:1','','','user:2','{"title":"toll","body":"","format":"text","url":null,"actions":[],"severity":"info","category":null,"sender":{"type":"key","name":"load"},"data":{"publisher":2000,"number":9},"collapse_key":null,"expires_at":null}',1795335938709,NULL,NULL);
INSERT INTO entries VALUES(14,'notice',14,'key:1','','','group:1','{"title":"toll","body":"","format":"text","url":null,"actions":[],"severity":"info","category":null,"sender":{"type":"key","name":"load"},"data":{"publisher":2000,"number":10},"collapse_key":null,"expires_at":null}',1795335938732,NULL,NULL);
INSERT INTO entries VALUES(15,'notice',15,'key:1','','','user:1 user:4','{"title":"toll","body":"","format":"text","url":null,"actions":[],"severity":"info","category":null,"sender":{"type":"key","name":"load"},"data":{"publisher":2000,"number":11},"collapse_key":null,"expires_at":null}',1795335938750,NULL,NULL);
INSERT INTO entries VALUES(16,'notice',16,'key:1','','','everyone','{"title":"toll","body":"","format":"text","url":null,"actions":[],"severity":"info","category":null,"sender":{"type":"key","name":"load"},"data":{"publisher":2000,"number":12},"collapse_key":null,"expires_at":null}',1795335938934,NULL,NULL);
INSERT INTO entries VALUES(17,'notice',17,'key:1','','','user:6','{"title":"toll","body":"","format":"text","url":null,"actions":[],"severity":"info","category":null,"sender":{"type":"key","name":"load"},"data":{"publisher":2000,"number":13},"collapse_key":null,"expires_at":null}',1795335939072,NULL,NULL);
INSERT INTO entries VALUES(18,'notice',18,'key:1','','','group:1','{"title":"toll","body":"","format":"text","url":null,"actions":[],"severity":"info","category":null,"sender":{"type":"key","name":"load"},"data":{"publisher":2000,"number":14},"collapse_key":null,"expires_at":null}',1795335939145,NULL,NULL);
INSERT INTO entries VALUES(19,'notice',19,'key:1','','','user:1 user:8','{"title":"toll","body":"","format":"text","url":null,"actions":[],"severity":"info","category":null,"sender":{"type":"key","name":"load"},"data":{"publisher":2000,"number":15},"collapse_key":null,"expires_at":null}',1795335939213,NULL,NULL);
INSERT INTO entries VALUES(20,'notice',20,'key:1','','','everyone','{"title":"toll","body":"","format":"text","url":null,"actions":[],"severity":"info","category":null,"sender":{"type":"key","name":"load"},"data":{"publisher":2000,"number":16},"collapse_key":null,"expires_at":null}',1795335939239,NULL,NULL);
INSERT INTO entries VALUES(21,'notice',21,'key:1','','','user:2','{"title":"toll","body":"","format":"text","url":null,"actions":[],"severity":"info","category":null,"sender":{"type":"key","name":"load"},"data":{"publisher":2000,"number":17},"collapse_key":null,"expires_at":null}',1795335939250,NULL,NULL);
INSERT INTO entries VALUES(22,'notice',22,'key:1','','','group:1','{"title":"toll","body":"","format":"text","url":null,"actions":[],"severity":"info","category":null,"sender":{"type":"key","name":"load"},"data":{"publisher":2000,"number":18},"collapse_key":null,"expires_at":null}',1795335939339,NULL,NULL);
INSERT INTO entries VALUES(23,'notice',23,'key:1','','','user:1 user:4','{"title":"toll","body":"","format":"text","url":null,"actions":[],"severity":"info","category":null,"sender":{"type":"key","name":"load"},"data":{"publisher":2000,"number":19},"collapse_key":null,"expires_at":null}',1795335939413,NULL,NULL);
INSERT INTO entries VALUES(24,'notice',24,'key:1','','','everyone','{"title":"toll","body":"","format":"text","url":null,"actions":[],"severity":"info","category":null,"sender":{"type":"key","name":"load"},"data":{"publisher":2000,"number":20},"collapse_key":null,"expires_at":null}',1795335939638,NULL,NULL);
INSERT INTO entries VALUES(25,'notice',25,'key:1','','','user:6','{"title":"toll","body":"","format":"text","url":null,"actions":[],"severity":"info","category":null,"sender":{"type":"key","name":"load"},"data":{"publisher":2000,"number":21},"collapse_key":null,"expires_at":null}',1795335939699,NULL,NULL);
INSERT INTO entries VALUES(26,'notice',26,'key:1','','','group:1','{"title":"toll","body":"","format":"text","url":null,"actions":[],"severity":"info","category":null,"sender":{"type":"key","name":"load"},"data":{"publisher":2000,"number":22},"collapse_key":null,"expires_at":null}',1795335939771,NULL,NULL);
INSERT INTO entries VALUES(27,'notice',27,'key:1','','','user:1 user:8','{"title":"toll","body":"","format":"text","url":null,"actions":[],"severity":"info","category":null,"sender":{"type":"key","name":"load"},"data":{"publisher":2000,"number":23},"collapse_key":null,"expires_at":null}',1795335939889,NULL,NULL);
INSERT INTO entries VALUES(28,'notice',28,'key:1','','','everyone','{"title":"toll","body":"","format":"text","url":null,"actions":[],"severity":"info","category":null,"sender":{"type":"key","name":"load"},"data":{"publisher":2000,"number":24},"collapse_key":null,"expires_at":null}',1795335940081,NULL,NULL);
CREATE TABLE recipients (
    audience   text   NOT NULL,
    log_offset integer NOT NULL,
    PRIMARY KEY (audience, log_offset)
) WITHOUT ROWID;
INSERT INTO recipients VALUES('everyone',8);
INSERT INTO recipients VALUES('everyone',12);
INSERT INTO recipients VALUES('everyone',16);
INSERT INTO recipients VALUES('everyone',20);
INSERT INTO recipients VALUES('everyone',24);
INSERT INTO recipients VALUES('everyone',28);
INSERT INTO recipients VALUES('group:1',6);
INSERT INTO recipients VALUES('group:1',10);
INSERT INTO recipients VALUES('group:1',14);
INSERT INTO recipients VALUES('group:1',18);
INSERT INTO recipients VALUES('group:1',22);
INSERT INTO recipients VALUES('group:1',26);
INSERT INTO recipients VALUES('user:1',7);
INSERT INTO recipients VALUES('user:1',11);
INSERT INTO recipients VALUES('user:1',15);
INSERT INTO recipients VALUES('user:1',19);
INSERT INTO recipients VALUES('user:1',23);
INSERT INTO recipients VALUES('user:1',27);
INSERT INTO recipients VALUES('user:2',1);
INSERT INTO recipients VALUES('user:2',5);
INSERT INTO recipients VALUES('user:2',13);
INSERT INTO recipients VALUES('user:2',21);
INSERT INTO recipients VALUES('user:4',2);
INSERT INTO recipients VALUES('user:4',7);
INSERT INTO recipients VALUES('user:4',15);
INSERT INTO recipients VALUES('user:4',23);
INSERT INTO recipients VALUES('user:6',3);
INSERT INTO recipients VALUES('user:6',9);
INSERT INTO recipients VALUES('user:6',17);
INSERT INTO recipients VALUES('user:6',25);
INSERT INTO recipients VALUES('user:8',4);
INSERT INTO recipients VALUES('user:8',11);
INSERT INTO recipients VALUES('user:8',19);
INSERT INTO recipients VALUES('user:8',27);
CREATE TABLE idempotency_keys (
    principal  text   NOT NULL,
    key        text   NOT NULL,
    digest     text   NOT NULL,
    subject    integer NOT NULL,                      -- what was made: an offset of the log, or the id of a row
    created_at integer NOT NULL,
    PRIMARY KEY (principal, key)
);
INSERT INTO idempotency_keys VALUES('key:1','first-1','b6487897736c1e745130bacb5d381d38a4fce8d369dfec1e8fea71fb7dace7b5',5,1795335937779);
INSERT INTO idempotency_keys VALUES('key:1','first-2','55fcc87f6804ce529b630b2babd2c96853508fc06d51a60230e78112e5d23884',6,1795335937875);
INSERT INTO idempotency_keys VALUES('key:1','first-3','5a2fd10526256a0aa22e95c700b2f12daefa972de228bff587ae8a2abbdbafb3',7,1795335938006);
INSERT INTO idempotency_keys VALUES('key:1','first-4','c24c5fdb7a85c5169f1bf57231fabf1b49248f6dc68336515d7b00c721c6e0ec',8,1795335938168);
INSERT INTO idempotency_keys VALUES('key:1','first-5','c3dc20407ffa89aefd675415f80f141c840b3191be3c25f18a56ecea811c9b8c',9,1795335938331);
INSERT INTO idempotency_keys VALUES('key:1','first-6','bf46d0ec28a4b5f78631f29691152949bb7bc242d7890d0e8d81b388eee2ad0a',10,1795335938443);
INSERT INTO idempotency_keys VALUES('key:1','first-7','85a85e039df2fa240e42d7e666bcf0920bdd11ff088b6000f7ed18caf3661308',11,1795335938509);
INSERT INTO idempotency_keys VALUES('key:1','first-8','5165bcc03125353dde52ab94d1aa1367ad8abeeb381bf960d95bf4a7589cabc7',12,1795335938615);
INSERT INTO idempotency_keys VALUES('key:1','first-9','03290feec136614c2874b282d62486070a17c6d9a3f67db9087ca0434fcad6b1',13,1795335938709);
INSERT INTO idempotency_keys VALUES('key:1','first-10','8bb5724bac81f1d3effab0ac400abf69ef4a2e64e3e3a55686737921667bb27d',14,1795335938732);
INSERT INTO idempotency_keys VALUES('key:1','first-11','570d3b6c573f1ab0186b2b4e2fb4eee859d449a108cfa313f9466ca68a2f4999',15,1795335938750);
INSERT INTO idempotency_keys VALUES('key:1','first-12','67c7e84aa9b5281714b794a6df2d1e3e167301947d41ad21d0f25be784c7611d',16,1795335938934);
INSERT INTO idempotency_keys VALUES('key:1','first-13','069ba62035ef1914b73e24b85ab910571ea33524d88ee213e6834cb007bb0b4c',17,1795335939072);
INSERT INTO idempotency_keys VALUES('key:1','first-14','72cbd2b63ddad51b488049eb0a80d16eda51afbdd59406ab329e285333f392c0',18,1795335939145);
INSERT INTO idempotency_keys VALUES('key:1','first-15','db8ddead9a934d42ebd3b876f668eeb40b696bddd36051d120118e453b24da21',19,1795335939213);
INSERT INTO idempotency_keys VALUES('key:1','first-16','2a29db75015e22fcb112a068c198771b656c95c4822de08cf40f0f385d8720aa',20,1795335939239);
INSERT INTO idempotency_keys VALUES('key:1','first-17','95e187c8017fe364db14d2288571e566368b765d5b09a8fa2889844704cf0285',21,1795335939250);
INSERT INTO idempotency_keys VALUES('key:1','first-18','cf408ef1aa63ba42be4afe3ed7e168be9a65ca5185db0b2c5775605f651efcbd',22,1795335939339);
INSERT INTO idempotency_keys VALUES('key:1','first-19','5f09445bd6bd8cb82b227cbaf0f6cea03a5d92c6e38d168e56825763b251aef4',23,1795335939413);
INSERT INTO idempotency_keys VALUES('key:1','first-20','ff2825c038a1850b70cb944d23fba4730128c2ca2c098b9855494406eb6c8688',24,1795335939638);
INSERT INTO idempotency_keys VALUES('key:1','first-21','05d80adaa8ae6dd951311454696985de286866442c1bb1ad9d641df2156f2225',25,1795335939699);
INSERT INTO idempotency_keys VALUES('key:1','first-22','c50f808daf846f23cb62fba55ea6a739cdeeceb1721c1a89e058f0d016f0068d',26,1795335939771);
INSERT INTO idempotency_keys VALUES('key:1','first-23','20ac0889cfa20d69b14a6305c52d1e78d27d5abd7b71922e995386ccffddff62',27,1795335939889);
INSERT INTO idempotency_keys VALUES('key:1','first-24','24d9a9e201829ef720b6c4ca8076c137d151250ebd3378ca4d77a33274d4d4c5',28,1795335940081);
CREATE TABLE users (
    id            integer PRIMARY KEY AUTOINCREMENT,
    username      text   NOT NULL,
    display_name  text   NOT NULL,
    role          text   NOT NULL CHECK (role IN ('user', 'admin')),
    locale        text   NOT NULL DEFAULT '',
    password_hash text   NOT NULL,
    created_at    integer NOT NULL,
    joined_offset integer NOT NULL,
    disabled_at   integer
);
INSERT INTO users VALUES(1,'ringer0','ringer0','user','','$argon2id$v=19$m=19456,t=2,p=1$0DUanOhsLhHvMhzrHc9JRg$sKxYwEuaXbHxYh92C0zvvrERKd4RWZcsBvMr55KpxDE',1795335930266,0,NULL);
INSERT INTO users VALUES(2,'ringer1','ringer1','user','','$argon2id$v=19$m=19456,t=2,p=1$TNuGQZUo5pFlfYbzuBgrqA$DXvJsbC/H2+tP14bA4br3ytQ+lnJHu5oNRyKzR55A68',1795335930578,0,NULL);
INSERT INTO users VALUES(3,'ringer2','ringer2','user','','$argon2id$v=19$m=19456,t=2,p=1$kqBPLV8XTW5J69apBt3DSg$hTQ6WoG4r9wfeAyyEjVryRSiCYZ/3a1OZFVqM7yOrL0',1795335931053,0,NULL);
INSERT INTO users VALUES(4,'ringer3','ringer3','user','','$argon2id$v=19$m=19456,t=2,p=1$PGkaBp8mIjyF+smjbfc9oA$OghV6m2vHVShW5a9SiZc+rJRO3DIh56g7Jxt6oHEFWo',1795335931562,0,NULL);
INSERT INTO users VALUES(5,'ringer4','ringer4','user','','$argon2id$v=19$m=19456,t=2,p=1$eeqGNh5ykb4iYWyTebTTyA$7MmKZQRvI3IpTk7xwSuao+3tuDEKxv1wzo0V8VrapnY',1795335932061,0,NULL);
INSERT INTO users VALUES(6,'ringer5','ringer5','user','','$argon2id$v=19$m=19456,t=2,p=1$CJd1bVU/2wxePmc0vZRfXA$HOczxgcZD1/43fKQJQUACvVhcJWLjy1faZAGwhD6xZk',1795335932824,0,NULL);
INSERT INTO users VALUES(7,'ringer6','ringer6','user','','$argon2id$v=19$m=19456,t=2,p=1$VubGJI41tN8M83br+1zjlA$e+5ZAgHwgntmGGoV7dKhaWfk0jq1Rg/H31QFyLjKLcg',1795335933173,0,NULL);
INSERT INTO users VALUES(8,'ringer7','ringer7','user','','$argon2id$v=19$m=19456,t=2,p=1$EhbLfGfEiEnK0QaGs3k/Dg$EMWwD9oEAssA0h7kZtCBcg0xttGrC6QJaGT9kskL02Y',1795335934545,0,NULL);
CREATE TABLE groups (
    id           integer PRIMARY KEY AUTOINCREMENT,
    name         text   NOT NULL,
    display_name text   NOT NULL,
    created_at   integer NOT NULL
);
INSERT INTO "groups" VALUES(1,'odd','odd',1795335935143);
CREATE TABLE memberships (
    group_id      integer NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    user_id       integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    joined_offset integer NOT NULL,
    PRIMARY KEY (group_id, user_id)
);
INSERT INTO memberships VALUES(1,2,1);
INSERT INTO memberships VALUES(1,4,2);
INSERT INTO memberships VALUES(1,6,3);
INSERT INTO memberships VALUES(1,8,4);
CREATE TABLE sessions (
    id             text   PRIMARY KEY,
    user_id        integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    secret_hash    blob   NOT NULL,
    state          text   NOT NULL CHECK (state IN ('active', 'locked', 'ended')),
    reason         text,
    created_at     integer NOT NULL,
    last_active_at integer NOT NULL,
    proved_at      integer NOT NULL,
    ended_at       integer,
    failed_unlocks integer NOT NULL DEFAULT 0,
    ip             text   NOT NULL DEFAULT '',
    user_agent     text   NOT NULL DEFAULT ''
);
INSERT INTO sessions VALUES('YkDFcy_gsL8vo9xNM0ELLQ',1,X'adde57ed720a65438003f904a0965631f5db552c90c408fa62042609e7e01d8a','active',NULL,1795335940513,1795335940513,1795335940513,NULL,0,'127.0.0.1','curl/7.88.1');
CREATE TABLE api_keys (
    id         integer PRIMARY KEY AUTOINCREMENT,
    name       text   NOT NULL,
    hash       blob   NOT NULL UNIQUE,
    scopes     text   NOT NULL,
    created_at integer NOT NULL,
    expires_at integer,
    revoked_at integer
);
INSERT INTO api_keys VALUES(1,'load',X'751614d5011aa67ed91f4ca1782d1421644b7d7c86814d44ca91395a0f60c8fa','notices:write',1795335936446,NULL,NULL);
CREATE TABLE notice_states (
    user_id     integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    notice_id   integer NOT NULL,
    read_at     integer,
    archived_at integer,
    PRIMARY KEY (user_id, notice_id)
);
CREATE TABLE inboxes (
    user_id    integer PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    read_floor integer NOT NULL
);
CREATE TABLE secrets (
    name       text   PRIMARY KEY,
    value      text   NOT NULL,
    created_at integer NOT NULL
);
INSERT INTO secrets VALUES('signing_key','EcEtNDvGl3Vy1jZOBhRjEdAXIFDFPaVSNKZOFzvgmtY',1795335936615);
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('goose_db_version',2);
INSERT INTO sqlite_sequence VALUES('users',8);
INSERT INTO sqlite_sequence VALUES('groups',1);
INSERT INTO sqlite_sequence VALUES('api_keys',1);
CREATE INDEX entries_by_actor ON entries (actor, log_offset) WHERE kind = 'notice';
CREATE INDEX entries_by_collapse_key ON entries (actor, collapse_key, log_offset) WHERE collapse_key <> '';
CREATE INDEX entries_by_subject ON entries (subject) WHERE kind = 'notice';
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
CREATE UNIQUE INDEX users_by_name ON users (lower(username));
CREATE UNIQUE INDEX groups_by_name ON groups (lower(name));
CREATE INDEX memberships_by_user ON memberships (user_id);
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_activity ON sessions (last_active_at) WHERE state = 'active';
CREATE INDEX sessions_by_age ON sessions (created_at) WHERE state <> 'ended';
CREATE INDEX sessions_by_end ON sessions (ended_at) WHERE state = 'ended';
COMMIT;
