/* metadata/sqlite_file.h - rows out of the file of a damaged database, page by page and without SQLite, which
 * gives up a whole tree behind the first page that is none. For the salvage alone (sqlite_salvage.c).
 *
 * The format: sqlite.org/fileformat2.html. Every byte is foreign: what does not fit is passed over and
 * counted. Memory: a row, a page for each level of a tree, two bits for each page of the file. */
#ifndef METADATA_SQLITE_FILE_H
#define METADATA_SQLITE_FILE_H

#include "util/buf.h"

struct file_value {
    char type; /* 'n' NULL, 'i' an integer, 't' text, 'b' bytes, 'r' a real number, which is not read */
    int64_t i;
    berth_str s;
};

#define FILE_COLUMNS_MAX 16
struct file_row {
    int64_t rowid; /* of a table that has them */
    size_t n;
    struct file_value v[FILE_COLUMNS_MAX];
};
/* Views of @row live until it returns. Anything but BERTH_OK ends the walk. */
typedef int file_row_fn(void *arg, const struct file_row *row, berth_error *err);

/* What rows of a tree look like, so that a page of another is not taken for one of its own. A letter for each
 * column: i integer, t text, d digest, k object key, b bytes; capitals: or NULL. NULL: anything. */
struct file_shape {
    const char *columns;
    bool rowids; /* a table with rowids; else an index, or a table that is one */
};

struct db_file {
    int fd;
    uint32_t page_size, usable, pages;
    bool sound;                    /* the header on page 1 is one */
    unsigned char *reached, *seen; /* a bit for each page: of some tree, or free; in this walk */
    unsigned char *referred;       /* a page above it names it; NULL: not asked for yet */
    berth_buf payload;
};

int file_open(const char *path, struct db_file *ret, berth_error *err);
void file_done(struct db_file *f);

/* Every row of the tree at @root that can be read, in no order, of @shape; @fn NULL: none is told. Adds to
 * *@ret_bad the pages and rows that can't. What was met counts as reached. */
int file_walk(struct db_file *f, uint32_t root, const struct file_shape *shape, file_row_fn *fn, void *arg,
              uint64_t *ret_bad, berth_error *err);
/* The same of every page that nothing has reached: those below a page that can't be read. */
int file_loose(struct db_file *f, const struct file_shape *shape, file_row_fn *fn, void *arg,
               berth_error *err);
/* Whose place in the schema can't be read: the first page that no other names, with rows of @shape. 0: none.
 */
int file_find_root(struct db_file *f, const struct file_shape *shape, uint32_t *ret, berth_error *err);
/* Free pages count as reached: what stands on them was deleted. */
int file_mark_free(struct db_file *f, berth_error *err);

/* Copies what is committed in the log beside the database at @path back into it, and removes the log: SQLite
 * does so when it opens one, unless it is too damaged for that. May be cut off anywhere, and done again. */
int file_fold_log(const char *path, berth_error *err);

#endif
