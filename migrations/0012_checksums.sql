-- What the rest of the row amounted to when it was written (CRC-32), so that a bit which was flipped on the disk
-- is found when the row is read. Null on rows that are older than this.
alter table events add column checksum bigint;
alter table session_snapshots add column checksum bigint;
alter table session_snapshot_texts add column checksum bigint;
