/* metadata/sqlite_recent.c - which manifests a thread has found by tag, good for as long as nobody has
 * written.
 *
 * What a tag leads to depends on the rows alone, not on the clock. The writer counts its commits, before it
 * acknowledges them; an answer that was read at the present count is still what the database would say. A
 * look-up of SQLite's costs two locks of the file, shared by all threads, and its own work: HEAD by 64
 * clients took 16.5 us of CPU, and takes 10 without. */
#include "metadata/sqlite_private.h"

#include "util/fault.h"

#define SLOTS       64
#define BYTES_MAX   (256 * KIB) /* in all; beyond it everything is forgotten */
#define ENTRY_BYTES (16 * KIB)

struct entry {
    uint64_t commits; /* how many there were when it was read */
    bool with_body;
    berth_digest digest;
    uint64_t size;
    berth_str repo, tag, media_type, body; /* in one piece of memory behind this */
};

struct recent {
    struct entry *slots[SLOTS];
    size_t bytes;
};

static size_t slot_of(berth_str repo, berth_str tag)
{
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */
    for (size_t i = 0; i < repo.n; i++)
        h = (h ^ (unsigned char)repo.p[i]) * 0x100000001b3u;
    h *= 0x100000001b3u; /* between the two */
    for (size_t i = 0; i < tag.n; i++)
        h = (h ^ (unsigned char)tag.p[i]) * 0x100000001b3u;
    return (size_t)(h >> 32) % SLOTS;
}

static size_t bytes_of(const struct entry *e)
{
    return sizeof(*e) + e->repo.n + e->tag.n + e->media_type.n + e->body.n;
}

static void drop(struct recent *r, size_t i)
{
    if (r->slots[i])
        r->bytes -= bytes_of(r->slots[i]);
    free(steal(&r->slots[i]));
}

void recent_free(struct recent *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < SLOTS; i++)
        drop(r, i);
    free(r);
}

uint64_t recent_commits(struct db *db)
{
    return atomic_load_explicit(&db->m->writer.commits, memory_order_acquire);
}

bool recent_find(struct db *db, berth_str repo, berth_str tag, bool with_body, berth_arena *a,
                 struct oci_stored *ret)
{
    const struct entry *e = db->recent ? db->recent->slots[slot_of(repo, tag)] : NULL;
    if (!e || e->commits != recent_commits(db) || e->with_body < with_body || !str_eq(e->repo, repo) ||
        !str_eq(e->tag, tag))
        return false;
    struct oci_stored got = {.digest = e->digest, .size = e->size};
    got.media_type = berth_arena_str(a, e->media_type);
    if (with_body)
        got.body = berth_arena_str(a, e->body);
    if (!got.media_type.p || (with_body && !got.body.p))
        return false; /* no memory: the database says so, too */
    *ret = got;
    return true;
}

static berth_str put(char **at, berth_str s)
{
    berth_str copy = {*at, s.n};
    if (s.n)
        memcpy(*at, s.p, s.n);
    *at += s.n;
    return copy;
}

void recent_keep(struct db *db, uint64_t commits, berth_str repo, berth_str tag, bool with_body,
                 const struct oci_stored *m)
{
    struct entry like = {commits, with_body, m->digest,     m->size,
                         repo,    tag,       m->media_type, with_body ? m->body : STR("")};
    size_t n = bytes_of(&like);
    if (n > ENTRY_BYTES)
        return;
    if (!db->recent)
        db->recent = fault_hit() ? NULL : calloc(1, sizeof(*db->recent));
    struct recent *r = db->recent;
    struct entry *e = !r || fault_hit() ? NULL : malloc(n);
    if (!e)
        return;
    char *at = (char *)(e + 1);
    *e = like;
    e->repo = put(&at, like.repo);
    e->tag = put(&at, like.tag);
    e->media_type = put(&at, like.media_type);
    e->body = put(&at, like.body);
    for (size_t i = 0; r->bytes + n > BYTES_MAX && i < SLOTS; i++)
        drop(r, i);
    size_t slot = slot_of(repo, tag);
    drop(r, slot);
    r->slots[slot] = e;
    r->bytes += n;
}
