CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE roots (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	path TEXT NOT NULL, 
	path_bytes BLOB
);
CREATE TABLE photos (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	content_hash VARCHAR(64) NOT NULL, 
	width INTEGER NOT NULL, 
	height INTEGER NOT NULL, 
	size_bytes BIGINT NOT NULL, 
	format TEXT NOT NULL, 
	taken_at DATETIME NOT NULL, 
	camera TEXT, 
	latitude FLOAT, 
	longitude FLOAT, 
	added_at DATETIME NOT NULL, lens TEXT, iso INTEGER, f_number FLOAT, focal_length_mm FLOAT, place_id INTEGER, perceptual_hash BLOB, facts_revision INTEGER DEFAULT '0' NOT NULL, 
	CONSTRAINT uq_photos_content_hash UNIQUE (content_hash)
);
CREATE TABLE files (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	root_id INTEGER NOT NULL, 
	path TEXT NOT NULL, 
	path_bytes BLOB, 
	photo_id INTEGER, 
	size_bytes BIGINT NOT NULL, 
	mtime_ns BIGINT NOT NULL, 
	state VARCHAR(8) NOT NULL, 
	reason TEXT, 
	seen_at DATETIME NOT NULL, words TEXT DEFAULT '' NOT NULL, 
	CONSTRAINT fk_files_root_id_roots FOREIGN KEY(root_id) REFERENCES roots (id), 
	CONSTRAINT fk_files_photo_id_photos FOREIGN KEY(photo_id) REFERENCES photos (id), 
	CONSTRAINT ck_files_state CHECK (state IN ('live', 'missing', 'skipped'))
);
CREATE UNIQUE INDEX uq_roots_text ON roots (path) WHERE path_bytes IS NULL;
CREATE UNIQUE INDEX uq_roots_bytes ON roots (path_bytes);
CREATE UNIQUE INDEX uq_files_text ON files (path) WHERE path_bytes IS NULL;
CREATE UNIQUE INDEX uq_files_bytes ON files (path_bytes);
CREATE TABLE encoders (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	identity TEXT NOT NULL, 
	name TEXT NOT NULL, 
	dim INTEGER NOT NULL, 
	languages JSON NOT NULL, 
	source TEXT, 
	added_at DATETIME NOT NULL, 
	CONSTRAINT uq_encoders_identity UNIQUE (identity)
);
CREATE TABLE active_encoders (
	language VARCHAR(8) NOT NULL, 
	encoder_id INTEGER NOT NULL, 
	CONSTRAINT pk_active_encoders PRIMARY KEY (language), 
	CONSTRAINT fk_active_encoders_encoder_id_encoders FOREIGN KEY(encoder_id) REFERENCES encoders (id)
);
CREATE TABLE embeddings (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	photo_id INTEGER NOT NULL, 
	encoder_id INTEGER NOT NULL, 
	vector BLOB NOT NULL, 
	CONSTRAINT fk_embeddings_photo_id_photos FOREIGN KEY(photo_id) REFERENCES photos (id), 
	CONSTRAINT fk_embeddings_encoder_id_encoders FOREIGN KEY(encoder_id) REFERENCES encoders (id), 
	CONSTRAINT uq_embeddings_encoder_id_photo_id UNIQUE (encoder_id, photo_id)
);
CREATE INDEX ix_embeddings_encoder_id_id ON embeddings (encoder_id, id);
CREATE TABLE generations (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	encoder_id INTEGER NOT NULL, 
	folder TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	count INTEGER NOT NULL, 
	last_embedding_id BIGINT NOT NULL, 
	built_at DATETIME NOT NULL, 
	is_current BOOLEAN NOT NULL, 
	CONSTRAINT fk_generations_encoder_id_encoders FOREIGN KEY(encoder_id) REFERENCES encoders (id), 
	CONSTRAINT uq_generations_folder UNIQUE (folder)
);
CREATE TABLE text_embeddings (
	encoder_id INTEGER NOT NULL, 
	templates_key TEXT NOT NULL, 
	text TEXT NOT NULL, 
	vector BLOB NOT NULL, 
	CONSTRAINT pk_text_embeddings PRIMARY KEY (encoder_id, templates_key, text), 
	CONSTRAINT fk_text_embeddings_encoder_id_encoders FOREIGN KEY(encoder_id) REFERENCES encoders (id)
);
CREATE TABLE runs (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	verb TEXT NOT NULL, 
	pid INTEGER NOT NULL, 
	started_at DATETIME NOT NULL, 
	finished_at DATETIME, 
	outcome JSON
);
CREATE TABLE switches (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	verb TEXT NOT NULL, 
	at DATETIME NOT NULL
);
CREATE TABLE answers_before (
	switch_id INTEGER NOT NULL, 
	language VARCHAR(8) NOT NULL, 
	encoder_id INTEGER, 
	CONSTRAINT pk_answers_before PRIMARY KEY (switch_id, language), 
	CONSTRAINT fk_answers_before_switch_id_switches FOREIGN KEY(switch_id) REFERENCES switches (id), 
	CONSTRAINT fk_answers_before_encoder_id_encoders FOREIGN KEY(encoder_id) REFERENCES encoders (id)
);
CREATE TABLE captioners (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	identity TEXT NOT NULL, 
	name TEXT NOT NULL, 
	added_at DATETIME NOT NULL, 
	CONSTRAINT uq_captioners_identity UNIQUE (identity)
);
CREATE TABLE captions (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	photo_id INTEGER NOT NULL, 
	text TEXT NOT NULL, 
	language VARCHAR(8) NOT NULL, 
	source VARCHAR(9) NOT NULL, 
	captioner_id INTEGER, 
	log_probability FLOAT, 
	made_at DATETIME NOT NULL, 
	words TEXT NOT NULL, 
	CONSTRAINT fk_captions_photo_id_photos FOREIGN KEY(photo_id) REFERENCES photos (id), 
	CONSTRAINT fk_captions_captioner_id_captioners FOREIGN KEY(captioner_id) REFERENCES captioners (id), 
	CONSTRAINT ck_captions_source CHECK (source IN ('generated', 'sidecar', 'user')), 
	CONSTRAINT ck_captions_captioner CHECK ((source = 'generated') = (captioner_id IS NOT NULL)), 
	CONSTRAINT uq_captions_photo_id_source_language_text UNIQUE (photo_id, source, language, text)
);
CREATE UNIQUE INDEX uq_captions_generated ON captions (photo_id, language) WHERE source = 'generated';
CREATE INDEX ix_captions_makers ON captions (language, source, captioner_id, photo_id);
CREATE TABLE places (
	id INTEGER NOT NULL, 
	country VARCHAR(2) NOT NULL, 
	name TEXT NOT NULL, 
	names JSON NOT NULL, 
	CONSTRAINT pk_places PRIMARY KEY (id)
);
CREATE INDEX ix_photos_taken_at ON photos (taken_at);
CREATE INDEX ix_photos_place_id ON photos (place_id);
CREATE INDEX ix_photos_facts_revision ON photos (facts_revision);
CREATE INDEX ix_files_photo_id_state ON files (photo_id, state);
CREATE TABLE containers (
	id INTEGER NOT NULL, 
	path TEXT NOT NULL, 
	path_bytes BLOB, 
	size_bytes BIGINT NOT NULL, 
	mtime_ns BIGINT NOT NULL, 
	every_seconds FLOAT, 
	CONSTRAINT pk_containers PRIMARY KEY (id)
);
CREATE UNIQUE INDEX uq_containers_text ON containers (path) WHERE path_bytes IS NULL;
CREATE UNIQUE INDEX uq_containers_bytes ON containers (path_bytes);
CREATE TABLE labels (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	name TEXT NOT NULL, 
	recipe TEXT, 
	last_embedding_id BIGINT DEFAULT '0' NOT NULL, 
	CONSTRAINT uq_labels_name UNIQUE (name)
);
CREATE TABLE photo_labels (
	photo_id INTEGER NOT NULL, 
	label_id INTEGER NOT NULL, 
	source VARCHAR(9) NOT NULL, 
	encoder TEXT, 
	confidence FLOAT, 
	made_at DATETIME NOT NULL, 
	CONSTRAINT pk_photo_labels PRIMARY KEY (photo_id, label_id, source), 
	CONSTRAINT fk_photo_labels_photo_id_photos FOREIGN KEY(photo_id) REFERENCES photos (id), 
	CONSTRAINT fk_photo_labels_label_id_labels FOREIGN KEY(label_id) REFERENCES labels (id), 
	CONSTRAINT ck_photo_labels_source CHECK (source IN ('zero-shot', 'user'))
);
CREATE INDEX ix_photo_labels_label_id_photo_id ON photo_labels (label_id, photo_id);
CREATE TABLE refused_labels (
	photo_id INTEGER NOT NULL, 
	label_id INTEGER NOT NULL, 
	made_at DATETIME NOT NULL, 
	CONSTRAINT pk_refused_labels PRIMARY KEY (photo_id, label_id), 
	CONSTRAINT fk_refused_labels_photo_id_photos FOREIGN KEY(photo_id) REFERENCES photos (id), 
	CONSTRAINT fk_refused_labels_label_id_labels FOREIGN KEY(label_id) REFERENCES labels (id)
);
CREATE TABLE albums (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	name TEXT NOT NULL, 
	"query" TEXT, 
	made_at DATETIME NOT NULL, 
	CONSTRAINT uq_albums_name UNIQUE (name)
);
CREATE TABLE album_photos (
	album_id INTEGER NOT NULL, 
	photo_id INTEGER NOT NULL, 
	added_at DATETIME NOT NULL, 
	CONSTRAINT pk_album_photos PRIMARY KEY (album_id, photo_id), 
	CONSTRAINT fk_album_photos_album_id_albums FOREIGN KEY(album_id) REFERENCES albums (id), 
	CONSTRAINT fk_album_photos_photo_id_photos FOREIGN KEY(photo_id) REFERENCES photos (id)
);
CREATE INDEX ix_album_photos_photo_id ON album_photos (photo_id);
CREATE INDEX ix_files_path ON files (path);
CREATE INDEX ix_photos_camera ON photos (camera);
CREATE INDEX ix_photos_lens ON photos (lens);
INSERT INTO alembic_version VALUES ('0005');
