/* bench/respond.h - a responder that does nothing but answer: what the driver reaches against it is its
 * ceiling. */
#ifndef BENCH_RESPOND_H
#define BENCH_RESPOND_H

#include <berth/error.h>

struct responder;

/* Listens on 127.0.0.1 with so many threads, which end with the process. @port 0: a free one. */
int responder_start(unsigned threads, unsigned port, struct responder **ret, berth_error *err);
unsigned responder_port(const struct responder *r);

#endif
