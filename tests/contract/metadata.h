/* tests/contract/metadata.h - the suite that every driver of metadata/meta.h must pass: the driver's test
 * program says how a fresh one is opened, and runs metadata_contract(). The rest is what its files share. */
#ifndef CONTRACT_METADATA_H
#define CONTRACT_METADATA_H

#include "test.h"

#include "metadata/meta.h"

struct metadata_driver {
    int (*open)(const struct meta_times *times, meta **ret, berth_error *err); /* empty */
    void (*shift_clock)(meta *m, int64_t ms);
};
int metadata_contract(const struct metadata_driver *driver); /* the number of failed tests */

/* --- the files' own --- */

#define HOUR ((int64_t)3600 * 1000)
#define G    (24 * HOUR)
#define D    (2 * HOUR)

struct fixture {
    meta *m;
    berth_arena a;
};
extern struct fixture f; /* fresh for each test */
int fixture_open(void **state);
int fixture_close(void **state);
void reopen_with(const struct meta_times *times); /* another fresh one, with other times */
void later(int64_t ms);

/* Digests, keys and bodies made of a short name, so that a test reads like a story. They live as long as the
 * test. */
const berth_digest *dg(const char *name);
berth_str ds(const char *name);
berth_str body_of(const char *name);

void push_blob(const char *repo, const char *name); /* in the database */
const char *push_object(const char *repo,
                        const char *name); /* in the store; returns the key its session had */
/* @layers, @children: names separated by spaces; a leading '?' may miss. @tags likewise. @subject NULL: none.
 */
struct put {
    const char *repo, *name, *layers, *children, *tags, *subject, *type, *media_type;
    const struct oci_condition *condition;
    const char *condition_tag;
};
int put(const struct put *p, struct oci_list *ret_missing, berth_error *err);
void push_manifest(const struct put *p);
#define PUSH(...) push_manifest(&(struct put){__VA_ARGS__})

bool has_blob(const char *repo, const char *name);
bool has_manifest(const char *repo, const char *name);
bool has_tag(const char *repo, const char *tag, const char *name); /* and it points at @name */
struct meta_gc_step collect(void);                                 /* until nothing is due; the sum */
size_t drain_objects(void);                                        /* removes what is due for removal */
void check_sound(void); /* the database's own check finds nothing */
size_t count_referrers(const char *repo, const char *subject);
size_t count_tags(const char *repo);

extern const struct CMUnitTest collector_tests[], thread_tests[], backup_tests[];
extern const size_t collector_tests_n, thread_tests_n, backup_tests_n;

#define FRESH(fn) cmocka_unit_test_setup_teardown(fn, fixture_open, fixture_close)

#endif
