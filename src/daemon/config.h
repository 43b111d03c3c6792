/* daemon/config.h - one schema for the YAML file, the environment and the flags.
 *
 * Precedence, lowest first: defaults, file, environment (BERTH_HTTP_PREFIX for http.prefix), flags
 * (--http-prefix, and the short forms of `berth serve --help`). Durations are milliseconds here and "10m",
 * "1h30m", "250ms" or a number of seconds outside; sizes are bytes here and "4MiB", "16k" or a number
 * outside. */
#ifndef DAEMON_CONFIG_H
#define DAEMON_CONFIG_H

#include "util/buf.h"

struct config_listen {
    char *address;           /* as http_server_listen() takes it */
    char *certificate, *key; /* PEM files; NULL: plain HTTP */
    char *client_ca;         /* NULL: client certificates are not asked for */
    char *tls_minimum;       /* "1.2" or "1.3"; NULL: 1.2 */
    char *tls_ciphers;       /* OpenSSL's list, for TLS 1.2; NULL: HTTP_TLS_CIPHERS */
};

struct config_warning { /* Warning: 299 - "text" on answers about what matches */
    char *repository;   /* pattern with '*', NULL: all */
    char *tag;          /* pattern with '*', NULL: all */
    char *text;
};

struct config {
    uint32_t version;             /* 1 */
    char *data;                   /* folder ["./data"] */
    struct config_listen *listen; /* [one: "localhost:5000"] */
    unsigned listen_count;

    struct config_http {
        char *prefix;       /* "/my/path"; NULL: none */
        char *socket_mode;  /* of unix sockets, "0660"; NULL: what the umask leaves */
        bool relative_urls; /* Location without scheme and host [false] */
        char **headers;     /* own response headers, "Name: value" */
        unsigned headers_count;
        char **trusted_proxies; /* addresses or CIDR */
        unsigned trusted_proxies_count;
        uint32_t loops, workers;              /* 0: by the number of cores */
        uint64_t max_header_size;             /* [32 KiB] */
        uint64_t max_uri_size;                /* [16 KiB] */
        uint32_t max_connections;             /* [16384] */
        uint32_t max_connections_per_address; /* [0: no limit] */
        uint32_t max_requests;                /* in flight at once [0: no limit] */
        uint32_t max_requests_per_address;    /* [0: no limit] */
        uint64_t upload_buffers;              /* bytes in all [256 MiB] */
        uint64_t header_timeout, body_timeout, idle_timeout, drain_timeout,
            stop_timeout; /* ms [30s 30s 75s 30s 30s] */
    } http;

    struct config_registry {
        bool auto_create;           /* a push makes its repository [true] */
        bool deletes;               /* DELETE of tags, manifests, blobs, repositories; else 405 [true] */
        bool read_only;             /* [false] */
        uint64_t max_manifest_size; /* [4 MiB]; never below 4 MiB */
        uint64_t session_timeout;   /* ms [10m], prolonged by activity */
        char **blob_content_types;  /* else 415; empty: all */
        unsigned blob_content_types_count;
        char *sparse; /* "none", "platforms" or "all": which children of an index may be absent ["none"] */
        char **sparse_platforms; /* for "platforms": those that must be present */
        unsigned sparse_platforms_count;
        bool schema1;           /* Docker schema 1 as bytes [false] */
        char *default_platform; /* an index for a client that accepts none: its child of this platform; NULL:
                                   the index */
        bool mount_anywhere;    /* mount without "from" [true] */
        char **foreign_urls_allow, **foreign_urls_deny; /* prefixes of "urls" in descriptors */
        unsigned foreign_urls_allow_count, foreign_urls_deny_count;
        uint32_t page_size; /* largest page of a listing [1000] */
        struct config_warning *warnings;
        unsigned warnings_count;
    } registry;

    struct config_storage {
        char *driver;         /* "fs" or "memory" ["fs"] */
        uint64_t inline_size; /* blobs up to this live in the database [16 KiB] */
        uint64_t
            direct_from;  /* beyond so many bytes a blob is written past the page cache; 0: never [32 MiB] */
        uint64_t reserve; /* uploads are refused below this much free space [64 MiB] */
        bool sync;        /* false: fast and loses acknowledged pushes on power loss [true] */
    } storage;

    struct config_gc {
        uint64_t interval;   /* ms [1h]; 0: only when asked */
        uint64_t grace;      /* [24h] */
        uint64_t drain;      /* [2h] */
        uint64_t untagged;   /* [0: kept] */
        bool keep_referrers; /* [false] */
        char *window;        /* "22:00-06:00" in local time; NULL: always */
    } gc;

    struct config_log {
        char *level;  /* ["info"] */
        char *format; /* "text" or "json" ["text"] */
        bool access;  /* [true] */
        char *audit;  /* file that every write is appended to as JSON; NULL: none */
    } log;

    struct config_metrics {
        bool enabled;        /* /metrics [true] */
        bool per_repository; /* [false] */
    } metrics;
};

/* Reads @path (NULL: no file), then the environment, then @flags ("http.prefix=/x" pairs, in order). On
 * failure
 * @err says file, line and reason. *@ret_c belongs to the caller: config_free(). */
int config_load(const char *path, const char *const *flags, size_t n_flags, struct config **ret_c,
                berth_error *err);
/* Everything that is wrong with what config_load() would read, and the files it names that can't be read: a
 * line each, into @out. What settings owe each other, and files, are looked at when each setting is right by
 * itself. *@ret_n: how many there are. */
int config_check(const char *path, const char *const *flags, size_t n_flags, berth_buf *out, size_t *ret_n,
                 berth_error *err);
/* Variables that are not a server's: commands on registries read them (cli/environment.c). NULL ends them. */
extern const char *const config_client_variables[];

/* Variables of the environment that look like a setting, or one of those, and are none. @tell is called for
 * each, with the nearest that is one, or "". */
void config_unknown_variables(void (*tell)(void *arg, const char *name, const char *nearest), void *arg);
void config_free(struct config *c); /* NULL is fine */

/* The whole configuration in force, as YAML that config_load() reads. */
int config_print(const struct config *c, berth_buf *out, berth_error *err);
/* The same as a JSON object: durations and sizes are texts, as they stand in the file. */
int config_print_json(const struct config *c, berth_buf *out, berth_error *err);

/* The keys (comma-separated, into @out) in which two configurations differ; for reload. */
void config_diff(const struct config *a, const struct config *b, berth_buf *out);
/* Whether a change of @key takes effect on reload, without a restart. */
bool config_key_reloads(berth_str key);

/* Appends a double-quoted scalar, valid in YAML and in JSON. */
void config_add_quoted(berth_str s, berth_buf *out);

/* Documentation from the same table: Markdown for docs/configuration.md, a JSON schema, one line per setting
 * for --help. */
void config_document_markdown(berth_buf *out);
void config_document_schema(berth_buf *out);
void config_document_flags(berth_buf *out);

/* "--http-prefix" → "http.prefix"; false: no such setting. *@ret_bool: it takes no value necessarily. */
bool config_flag_key(berth_str flag, berth_buf *ret_key, bool *ret_bool);

/* "10m" → 600000; "4MiB" → 4194304. */
bool config_parse_duration(berth_str s, uint64_t *ret_ms);
bool config_parse_size(berth_str s, uint64_t *ret_bytes);

#endif
