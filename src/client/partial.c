/* client/partial.c - see partial.h. */
#include "client/partial.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "util/io.h"

#define ATTRIBUTE  "user.berth.partial" /* 8 bytes: how many it covers, big-endian; then the hash's state */
#define SAVE_EVERY (64 * MIB)           /* so much is read again at most */
#define PIECE      (64 * KIB)
#define ROOM_FROM  MIB
#define ROOM_MAX   (64 * MIB)
#define NOTE_EVERY (8 * MIB) /* so much is fetched again at most, of a file that is spread */

/* --- the state of the hash --- */

static void save(struct partial *p)
{
    if (p->forgets)
        return;
    unsigned char state[8 + HASH_STATE_MAX];
    for (int i = 0; i < 8; i++)
        state[i] = (unsigned char)(p->at >> (56 - 8 * i));
    size_t n = 8 + hash_save(&p->hash, state + 8);
    if (fsetxattr(p->fd, ATTRIBUTE, state, n, 0) == 0) /* a help, not a need */
        p->saved = p->at;
}

static uint64_t load(struct partial *p, uint64_t size)
{
    unsigned char state[8 + HASH_STATE_MAX];
    uint64_t at = 0;
    ssize_t n = fgetxattr(p->fd, ATTRIBUTE, state, sizeof(state));
    if (n < 8)
        return 0;
    for (int i = 0; i < 8; i++)
        at = at << 8 | state[i];
    berth_hash hash = p->hash;
    if (at > size || !hash_load(&hash, state + 8, (size_t)n - 8) || hash.algorithm != p->hash.algorithm)
        return 0;
    p->hash = hash;
    return at;
}

/* --- the record of gaps --- */

static uint64_t place_of_record(uint64_t size)
{
    return (size + GAPS_RECORD - 1) / GAPS_RECORD * GAPS_RECORD;
}

static int note(struct partial *p, berth_error *err)
{
    unsigned char record[GAPS_RECORD];
    p->unnoted = 0;
    if (p->forgets)
        return BERTH_OK;
    gaps_save(&p->gaps, p->size, record);
    return io_pwrite_all(p->fd, record, sizeof(record), place_of_record(p->size), err);
}

/* Whether the file, of @length bytes, is spread. */
static int find_record(struct partial *p, uint64_t length, berth_error *err)
{
    unsigned char record[GAPS_RECORD];
    size_t n;
    if (length < GAPS_RECORD || length % GAPS_RECORD)
        return BERTH_OK;
    int r = io_pread(p->fd, record, sizeof(record), length - GAPS_RECORD, &n, err);
    if (r != BERTH_OK || n < sizeof(record) || !gaps_load(&p->gaps, record, &p->size))
        return r;
    p->spread = place_of_record(p->size) == length - GAPS_RECORD;
    if (!p->spread)
        gaps_done(&p->gaps);
    return BERTH_OK;
}

/* --- what is there --- */

/* Reads it, and hashes it, up to @to. */
static int hash_to(struct partial *p, uint64_t to, berth_error *err)
{
    CLEANUP(freep) char *piece = p->at < to ? mem_alloc(PIECE) : NULL;
    if (p->at < to && !piece)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    while (p->at < to) {
        size_t n;
        int r = io_pread(p->fd, piece, (size_t)MIN(to - p->at, (uint64_t)PIECE), p->at, &n, err);
        if (r == BERTH_OK && !n)
            r = berth_error_set(err, BERTH_E_IO, "'%s' has become shorter", p->unfinished);
        if (r != BERTH_OK)
            return r;
        hash_update(&p->hash, piece, n);
        p->at += n;
    }
    return BERTH_OK;
}

/* What the state doesn't cover is read again. */
static int catch_up(struct partial *p, berth_error *err)
{
    struct stat st;
    if (fstat(p->fd, &st) < 0 || !S_ISREG(st.st_mode))
        return berth_error_set(err, BERTH_E_IO, "'%s' is no file to go on with", p->unfinished);
    int r = find_record(p, (uint64_t)st.st_size, err);
    uint64_t there = p->spread ? gaps_front(&p->gaps, p->size) : (uint64_t)st.st_size;
    p->at = p->saved = load(p, there);
    if (r == BERTH_OK)
        r = hash_to(p, there, err);
    if (r == BERTH_OK && lseek(p->fd, (off_t)p->at, SEEK_SET) != (off_t)p->at)
        r = berth_error_set(err, BERTH_E_IO, "'%s': %s", p->unfinished, strerror(errno));
    return r;
}

/* --- the file --- */

int partial_open(struct partial *p, const char *path, const berth_digest *digest, berth_error *err)
{
    CLEANUP(berth_buf_done) berth_buf name = BERTH_BUF_INIT(16 * KIB);
    berth_str hex = str_from(strchr(digest->text, ':') + 1);
    berth_buf_addf(&name, "%s." STR_FMT ".part", path, STR_ARG(str_head(hex, 12)));
    p->unfinished = berth_buf_take(&name);
    p->path = str_dup(str_from(path));
    if (!p->unfinished || !p->path)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    p->fd = open(p->unfinished, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (p->fd < 0)
        return berth_error_set(err, errno == ENOENT ? BERTH_E_NOT_FOUND : BERTH_E_IO, "creating '%s': %s",
                               errno == ENOENT ? path : p->unfinished, strerror(errno));
    struct stat held, named;
    bool ours = flock(p->fd, LOCK_EX | LOCK_NB) == 0 && fstat(p->fd, &held) == 0 &&
                lstat(p->unfinished, &named) == 0 && held.st_ino == named.st_ino &&
                held.st_dev == named.st_dev; /* and not one that was removed or finished meanwhile */
    if (!ours) {
        closep(&p->fd);
        p->fd = -1;
        return berth_error_set(err, BERTH_E_BUSY, "another process is writing '%s'", p->unfinished);
    }
    hash_init(&p->hash, digest->algorithm);
    return catch_up(p, err);
}

int partial_lend(struct partial *p, int fd, bool goes_on, const berth_digest *digest, berth_error *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return berth_error_set(err, BERTH_E_INVALID, "the descriptor is not a regular file's");
    p->unfinished = str_dup(STR("the file"));
    if (!p->unfinished)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    p->fd = fd;
    p->lent = true;
    p->forgets = !goes_on;
    hash_init(&p->hash, digest->algorithm);
    return goes_on ? catch_up(p, err) : partial_restart(p, digest->algorithm, err);
}

/* As much again as is there: a file system that is told before looks for a place once, not block by block,
 * which takes longer (docs/performance.md). A help, not a need. */
static void make_room(struct partial *p, size_t n)
{
    if (p->at + n <= p->room || p->at < ROOM_FROM)
        return;
    uint64_t more = MIN(p->at, (uint64_t)ROOM_MAX);
    bool made = fallocate(p->fd, FALLOC_FL_KEEP_SIZE, (off_t)p->at, (off_t)more) == 0;
    p->room = made ? p->at + more : UINT64_MAX;
}

/* Off with what lies behind its last byte: the record of gaps, or room, perhaps of a process that was killed.
 */
static int trim(struct partial *p, berth_error *err)
{
    if (ftruncate(p->fd, (off_t)p->at) < 0)
        return berth_error_set(err, BERTH_E_IO, "cutting '%s': %s", p->unfinished, strerror(errno));
    return BERTH_OK;
}

int partial_write(struct partial *p, const void *data, size_t n, berth_error *err)
{
    make_room(p, n);
    int r = io_write_all(p->fd, data, n, err);
    if (r != BERTH_OK)
        return r;
    hash_update(&p->hash, data, n);
    p->at += n;
    if (p->at - p->saved >= SAVE_EVERY)
        save(p);
    return BERTH_OK;
}

/* What lies behind the bytes that are hashed is nothing to go on with. */
static int cut(struct partial *p, berth_error *err)
{
    gaps_done(&p->gaps);
    p->spread = false;
    p->room = 0;
    if (ftruncate(p->fd, (off_t)p->at) < 0 || lseek(p->fd, (off_t)p->at, SEEK_SET) != (off_t)p->at)
        return berth_error_set(err, BERTH_E_IO, "cutting '%s': %s", p->unfinished, strerror(errno));
    return BERTH_OK;
}

int partial_restart(struct partial *p, enum hash_algorithm a, berth_error *err)
{
    hash_init(&p->hash, a);
    p->at = 0;
    int r = cut(p, err);
    if (r == BERTH_OK)
        save(p);
    return r;
}

int partial_finish(struct partial *p, berth_error *err)
{
    int r = trim(p, err);
    if (r != BERTH_OK || p->forgets)
        return r;
    (void)!fremovexattr(p->fd, ATTRIBUTE);
    if (!p->lent && rename(p->unfinished, p->path) < 0)
        return berth_error_set(err, BERTH_E_IO, "naming '%s': %s", p->path, strerror(errno));
    mem_free(steal(&p->unfinished));
    return BERTH_OK;
}

static void discard(struct partial *p)
{
    if (!p->lent)
        unlink(p->unfinished);
    else if (ftruncate(p->fd, 0) == 0)
        (void)!fremovexattr(p->fd, ATTRIBUTE);
}

void partial_done(struct partial *p, bool keep)
{
    if (p->fd >= 0 && p->unfinished && !p->forgets) {
        if (keep && p->spread)
            note(p, NULL);
        else if (keep)
            trim(p, NULL);
        if (keep && p->at)
            save(p);
        if (!keep || (!p->at && !p->spread))
            discard(p);
    }
    if (p->lent)
        p->fd = -1;
    gaps_done(&p->gaps);
    closep(&p->fd);
    p->fd = -1;
    mem_free(steal(&p->unfinished));
    mem_free(steal(&p->path));
}

/* --- in several places at once --- */

int partial_spread(struct partial *p, uint64_t size, berth_error *err)
{
    if (!gaps_add(&p->gaps, p->at, size))
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    p->size = size;
    p->spread = true;
    return note(p, err);
}

int partial_fill(struct partial *p, struct gap *gap, const void *data, size_t n, berth_error *err)
{
    int r = io_pwrite_all(p->fd, data, n, gap->at, err);
    if (r != BERTH_OK)
        return r;
    if (gap->at == p->at) {
        hash_update(&p->hash, data, n);
        p->at += n;
    }
    gap->at += n;
    p->unnoted += n;
    if (p->at - p->saved >= SAVE_EVERY)
        save(p);
    return p->unnoted >= NOTE_EVERY ? note(p, err) : BERTH_OK;
}

int partial_follow(struct partial *p, uint64_t most, berth_error *err)
{
    uint64_t there = gaps_front(&p->gaps, p->size);
    return hash_to(p, MIN(there, p->at + MIN(most, there)), err);
}

int partial_gather(struct partial *p, berth_error *err)
{
    return cut(p, err);
}
