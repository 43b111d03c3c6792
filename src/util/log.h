/* util/log.h - structured log lines, as text for people or JSON for machines. Thread-safe.
 *
 * Library rooms never log; the outermost caller logs once. A field's value may come from a hostile peer:
 * it is escaped. Secrets are never passed here. */
#ifndef UTIL_LOG_H
#define UTIL_LOG_H

#include "util/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_TEXT, LOG_JSON };

struct log_field {
    const char *key;
    enum { LOG_FIELD_STR, LOG_FIELD_INT, LOG_FIELD_REAL } kind;
    berth_str str;
    int64_t num;
    double real;
};

#define F_STR(k, v)                                                                                          \
    {                                                                                                        \
        .key = (k), .kind = LOG_FIELD_STR, .str = (v)                                                        \
    }
#define F_CSTR(k, v)                                                                                         \
    {                                                                                                        \
        .key = (k), .kind = LOG_FIELD_STR, .str = str_from(v)                                                \
    }
#define F_INT(k, v)                                                                                          \
    {                                                                                                        \
        .key = (k), .kind = LOG_FIELD_INT, .num = (int64_t)(v)                                               \
    }
#define F_REAL(k, v)                                                                                         \
    {                                                                                                        \
        .key = (k), .kind = LOG_FIELD_REAL, .real = (v)                                                      \
    }

void log_setup(enum log_level least, enum log_format format, int fd); /* at start, and again on reload */
bool log_enabled(enum log_level level);
bool log_level_by_name(berth_str name, enum log_level *ret); /* debug info warn error */
void log_write(enum log_level level, const char *message, const struct log_field *fields, size_t n);

/* log_event(LOG_INFO, "listening", F_STR("address", a), F_INT("port", p)); at least one field. */
#define log_event(level, message, ...)                                                                       \
    do {                                                                                                     \
        if (log_enabled(level)) {                                                                            \
            const struct log_field log_fields_[] = {__VA_ARGS__};                                            \
            log_write(level, message, log_fields_, COUNT(log_fields_));                                      \
        }                                                                                                    \
    } while (0)

#endif
