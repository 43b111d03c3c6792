/* cli/progress.h - how far transfers are, for people: bars on a terminal, a line now and then elsewhere.
 *
 *     struct progress *p = progress_new(&o.remote.base, c->name);
 *     struct progress_item *layer = progress_add(p, "sha256:9f86d081", size);
 *     progress_at(layer, bytes_so_far);       // as often as you like
 *     progress_end(layer);
 *     progress_free(p);                       // before the command prints its result
 *
 * Everything goes to standard error, and nothing at all with --quiet. NO_COLOR, TERM=dumb and the terminal's
 * width are honoured. NULL is fine for every pointer, so that a lack of memory costs the bars alone. Not
 * thread-safe: the thread that drives the client is the one that tells. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdio.h>

#include "util/buf.h"

#define PROGRESS_UNKNOWN UINT64_MAX

struct cli_base;
struct progress;
struct progress_item;

struct progress *progress_new(const struct cli_base *b, const char *command);
void progress_free(struct progress *p); /* and its items; takes the bars away */

/* @total in bytes, or PROGRESS_UNKNOWN. @label is copied; nothing in it acts on a terminal. */
struct progress_item *progress_add(struct progress *p, const char *label, uint64_t total);
void progress_at(struct progress_item *item, uint64_t done);
void progress_found(struct progress_item *item,
                    uint64_t n); /* so many of them were there: they have no rate */
void progress_advance(struct progress_item *item, uint64_t more);
void progress_total(struct progress_item *item, uint64_t total); /* known by now */
void progress_end(struct progress_item *item);                   /* however it ended */

/* One line that stays, above the bars: "layer 3 was there already". */
void progress_say(struct progress *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Takes the bars away for what is printed next; they come back. */
void progress_hide(struct progress *p);

/* From a signal handler: ends the line that stands on the terminal. */
void progress_interrupted(void);

/* --- for tests: the same with a form, a width and a time of their own --- */
enum progress_form { PROGRESS_OFF, PROGRESS_BARS, PROGRESS_LINES };
struct progress *progress_new_with(enum progress_form form, const char *command, FILE *out, unsigned width,
                                   bool colour);
void progress_tick(struct progress *p, int64_t now_ms); /* draws if it is time to */

void progress_bytes(berth_buf *out, uint64_t n);         /* "1.5 MiB" */
void progress_seconds(berth_buf *out, uint64_t seconds); /* "1h02m", "3m09s", "7s" */

#endif
