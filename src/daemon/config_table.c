/* daemon/config_table.c - every setting there is, in the order in which people read them.
 *
 * A new setting is a member of struct config and a row here; sources, printing, checking and documents
 * follow. */
#include "daemon/config_private.h"
#include "http/server.h"

#define SECOND ((uint64_t)1000)
#define HOUR   (3600 * SECOND)
#define DAY    (24 * HOUR)
#define TIB    ((uint64_t)GIB * 1024)

#define AT(member)       .offset = offsetof(struct config, member)
#define MANY_AT(member)  AT(member), .count_offset = offsetof(struct config, member##_count)
#define LISTENER(member) .type = CONFIG_TLS, .offset = offsetof(struct config_listen, member)

#define CIPHERS_ABOUT "ciphers of TLS 1.2, as OpenSSL lists them; `" HTTP_TLS_CIPHERS "` when absent"

static const char *const drivers[] = {"fs", "memory", NULL};
static const char *const sparse[] = {"none", "platforms", "all", NULL};
static const char *const levels[] = {"debug", "info", "warn", "error", NULL};
static const char *const formats[] = {"text", "json", NULL};
static const char *const tls_versions[] = {"1.2", "1.3", NULL};

static const struct config_field listen_fields[] = {
    {"address", offsetof(struct config_listen, address), true, &config_form_address, NULL,
     "`host:port`, `:port`, `[v6]:port`, `unix:/path`, or `fd:N` for an inherited socket", false},
    {"certificate", offsetof(struct config_listen, certificate), false, NULL, NULL,
     "PEM file with the certificate and its chain; absent: plain HTTP", true},
    {"key", offsetof(struct config_listen, key), false, NULL, NULL,
     "PEM file with the key of the certificate", true},
    {"client_ca", offsetof(struct config_listen, client_ca), false, NULL, NULL,
     "PEM file; clients must show a certificate signed by one of these", true},
    {"tls_minimum", offsetof(struct config_listen, tls_minimum), false, NULL, tls_versions,
     "oldest TLS version accepted; 1.2 when absent", false},
    {"tls_ciphers", offsetof(struct config_listen, tls_ciphers), false, &config_form_ciphers, NULL,
     CIPHERS_ABOUT, false},
};

static const struct config_field warning_fields[] = {
    {"repository", offsetof(struct config_warning, repository), false, NULL, NULL,
     "repositories meant, `*` for any characters; absent: all", false},
    {"tag", offsetof(struct config_warning, tag), false, NULL, NULL, "tags meant, likewise; absent: all",
     false},
    {"text", offsetof(struct config_warning, text), true, &config_form_filled, NULL, "what the client shows",
     false},
};

const struct config_setting config_settings[] = {
    {"version", CONFIG_NUMBER, AT(version), .fallback = "1", .least = 1, .most = 1, .file_only = true,
     .about = "version of this format"},
    {"data", CONFIG_TEXT, AT(data), .fallback = "./data", .unit = "FOLDER", .form = &config_form_filled,
     .about = "folder that holds everything: database, blobs, lock, control socket"},
    {"listen", CONFIG_RECORDS, MANY_AT(listen), .fallback = "localhost:5000", .unit = "ADDRESS",
     .fields = listen_fields, .n_fields = COUNT(listen_fields), .record_size = sizeof(struct config_listen),
     .about = "addresses to serve on"},

    {"tls.certificate", LISTENER(certificate), .unit = "FILE",
     .about = "PEM certificate and chain for the listeners given by flags or environment"},
    {"tls.key", LISTENER(key), .unit = "FILE", .about = "PEM key of that certificate"},
    {"tls.client_ca", LISTENER(client_ca), .unit = "FILE",
     .about = "PEM file; clients must show a certificate signed by one of these"},
    {"tls.minimum", LISTENER(tls_minimum), .unit = "VERSION", .values = tls_versions,
     .about = "oldest TLS version accepted; 1.2 when absent"},
    {"tls.ciphers", LISTENER(tls_ciphers), .unit = "LIST", .form = &config_form_ciphers,
     .about = CIPHERS_ABOUT},

    {"http.prefix", CONFIG_TEXT, AT(http.prefix), .unit = "PATH", .form = &config_form_prefix,
     .about = "serve below this path instead of at the root"},
    {"http.socket_mode", CONFIG_TEXT, AT(http.socket_mode), .unit = "MODE", .form = &config_form_mode,
     .about = "permissions of the unix sockets in `listen`, octal; absent: what the umask leaves"},
    {"http.relative_urls", CONFIG_BOOL, AT(http.relative_urls), .fallback = "false",
     .about = "send Location headers without scheme and host"},
    {"http.headers", CONFIG_LIST, MANY_AT(http.headers), .unit = "HEADER", .form = &config_form_header,
     .about = "headers to add to every answer, `Name: value`"},
    {"http.trusted_proxies", CONFIG_LIST, MANY_AT(http.trusted_proxies), .unit = "ADDRESS",
     .form = &config_form_proxy,
     .about = "addresses or networks whose Forwarded and X-Forwarded-For, -Proto, -Host are believed"},
    {"http.loops", CONFIG_NUMBER, AT(http.loops), .fallback = "0", .most = 1024,
     .about = "threads that serve connections; 0: one per core"},
    {"http.workers", CONFIG_NUMBER, AT(http.workers), .fallback = "0", .most = 4096,
     .about = "threads that wait for disk and database; 0: 32, or four per core if that is more"},
    {"http.max_header_size", CONFIG_SIZE, AT(http.max_header_size), .fallback = "32KiB", .least = KIB,
     .most = 16 * MIB, .about = "largest request line and headers together; more is answered 431"},
    {"http.max_uri_size", CONFIG_SIZE, AT(http.max_uri_size), .fallback = "16KiB", .least = KIB,
     .most = 16 * MIB, .about = "longest request target; more is answered 414"},
    {"http.max_connections", CONFIG_NUMBER, AT(http.max_connections), .fallback = "16384", .least = 1,
     .most = 1048576, .about = "connections open at once; more are answered 503"},
    {"http.max_connections_per_address", CONFIG_NUMBER, AT(http.max_connections_per_address), .fallback = "0",
     .most = 1048576,
     .about = "connections open at once from one address; more are answered 429; 0: no limit"},
    {"http.max_requests", CONFIG_NUMBER, AT(http.max_requests), .fallback = "0", .most = 1048576,
     .about = "requests in flight at once; more are answered 503; 0: no limit but that of connections"},
    {"http.max_requests_per_address", CONFIG_NUMBER, AT(http.max_requests_per_address), .fallback = "0",
     .most = 1048576,
     .about = "requests in flight at once from one address; more are answered 429; 0: no limit"},
    {"http.upload_buffers", CONFIG_SIZE, AT(http.upload_buffers), .fallback = "256MiB", .least = MIB,
     .most = TIB, .about = "memory for bodies on their way in; further uploads wait their turn"},
    {"http.header_timeout", CONFIG_DURATION, AT(http.header_timeout), .fallback = "30s", .least = 1,
     .most = DAY, .about = "time for a request's headers to arrive"},
    {"http.body_timeout", CONFIG_DURATION, AT(http.body_timeout), .fallback = "30s", .least = 1, .most = DAY,
     .about = "time in which a body, either way, must make progress"},
    {"http.idle_timeout", CONFIG_DURATION, AT(http.idle_timeout), .fallback = "75s", .least = 1, .most = DAY,
     .about = "how long a connection is kept open between requests"},
    {"http.drain_timeout", CONFIG_DURATION, AT(http.drain_timeout), .fallback = "30s", .least = 1,
     .most = DAY,
     .about = "how long a body is still read after an early answer, so that the client sees that answer"},
    {"http.stop_timeout", CONFIG_DURATION, AT(http.stop_timeout), .fallback = "30s", .least = 1, .most = DAY,
     .about = "how long running requests may take to end when the server stops"},

    {"registry.auto_create", CONFIG_BOOL, AT(registry.auto_create), .fallback = "true", .reloads = true,
     .about = "a push creates its repository"},
    {"registry.deletes", CONFIG_BOOL, AT(registry.deletes), .fallback = "true", .reloads = true,
     .about = "tags, manifests, blobs and repositories may be deleted; otherwise 405"},
    {"registry.read_only", CONFIG_BOOL, AT(registry.read_only), .fallback = "false", .reloads = true,
     .about = "refuse every write with 405"},
    {"registry.max_manifest_size", CONFIG_SIZE, AT(registry.max_manifest_size), .fallback = "4MiB",
     .least = 4 * MIB, .most = 256 * MIB, .reloads = true, .about = "largest manifest; more is answered 413"},
    {"registry.session_timeout", CONFIG_DURATION, AT(registry.session_timeout), .fallback = "10m",
     .least = SECOND, .most = 365 * DAY, .reloads = true,
     .about = "life of an upload session; each PATCH prolongs it"},
    {"registry.blob_content_types", CONFIG_LIST, MANY_AT(registry.blob_content_types), .unit = "TYPE",
     .form = &config_form_media_type, .reloads = true,
     .about = "content types accepted in blob uploads, others are answered 415; empty: all"},
    {"registry.sparse", CONFIG_TEXT, AT(registry.sparse), .fallback = "none", .values = sparse,
     .reloads = true,
     .about = "what may be absent when a manifest is pushed: nothing, children of platforms not listed, or "
              "anything"},
    {"registry.sparse_platforms", CONFIG_LIST, MANY_AT(registry.sparse_platforms), .unit = "PLATFORM",
     .form = &config_form_platform, .reloads = true,
     .about = "platforms whose children must be present when `registry.sparse` is `platforms`"},
    {"registry.schema1", CONFIG_BOOL, AT(registry.schema1), .fallback = "false", .reloads = true,
     .about = "accept Docker schema 1 manifests, as bytes"},
    {"registry.default_platform", CONFIG_TEXT, AT(registry.default_platform), .unit = "PLATFORM",
     .form = &config_form_platform, .reloads = true,
     .about = "a client that accepts no index gets the child of this platform; absent: it gets the index"},
    {"registry.mount_anywhere", CONFIG_BOOL, AT(registry.mount_anywhere), .fallback = "true", .reloads = true,
     .about = "a mount that names no source repository may find the blob in any"},
    {"registry.foreign_urls_allow", CONFIG_LIST, MANY_AT(registry.foreign_urls_allow), .unit = "URL",
     .form = &config_form_url, .reloads = true,
     .about = "prefixes that URLs in descriptors may have; empty: any"},
    {"registry.foreign_urls_deny", CONFIG_LIST, MANY_AT(registry.foreign_urls_deny), .unit = "URL",
     .form = &config_form_url, .reloads = true,
     .about = "prefixes that URLs in descriptors must not have, also when allowed"},
    {"registry.page_size", CONFIG_NUMBER, AT(registry.page_size), .fallback = "1000", .least = 1,
     .most = 100000, .reloads = true, .about = "largest page of a listing"},
    {"registry.warnings", CONFIG_RECORDS, MANY_AT(registry.warnings), .fields = warning_fields,
     .n_fields = COUNT(warning_fields), .record_size = sizeof(struct config_warning),
     .bare = COUNT(warning_fields) - 1, .reloads = true, .file_only = true,
     .about = "texts that clients show their users, sent as Warning headers"},

    {"storage.driver", CONFIG_TEXT, AT(storage.driver), .fallback = "fs", .values = drivers,
     .about = "where blobs live: in the data folder, or in memory, gone at the end"},
    {"storage.inline_size", CONFIG_SIZE, AT(storage.inline_size), .fallback = "16KiB", .most = MIB,
     .about = "blobs up to this size live in the database"},
    {"storage.direct_from", CONFIG_SIZE, AT(storage.direct_from), .fallback = "32MiB", .most = 1024 * TIB,
     .about = "what a blob holds beyond this size is written past the page cache; 0: nothing is"},
    {"storage.reserve", CONFIG_SIZE, AT(storage.reserve), .fallback = "64MiB", .most = 1024 * TIB,
     .about = "uploads are refused when less free space than this is left"},
    {"storage.sync", CONFIG_BOOL, AT(storage.sync), .fallback = "true",
     .about = "write to the disk itself before answering; false is fast, and loses acknowledged pushes with "
              "the power"},

    {"gc.interval", CONFIG_DURATION, AT(gc.interval), .fallback = "1h", .most = 365 * DAY, .reloads = true,
     .about = "time between collections; 0: only when asked"},
    {"gc.grace", CONFIG_DURATION, AT(gc.grace), .fallback = "24h", .most = 3650 * DAY,
     .about = "how long something that nothing refers to is kept"},
    {"gc.drain", CONFIG_DURATION, AT(gc.drain), .fallback = "2h", .most = 365 * DAY,
     .about = "how long the bytes of a removed blob stay for those who are reading them"},
    {"gc.untagged", CONFIG_DURATION, AT(gc.untagged), .fallback = "0", .most = 3650 * DAY,
     .about = "remove manifests that have had no tag for this long; 0: keep them"},
    {"gc.keep_referrers", CONFIG_BOOL, AT(gc.keep_referrers), .fallback = "false",
     .about = "keep signatures and other referrers when what they refer to is gone"},
    {"gc.window", CONFIG_TEXT, AT(gc.window), .unit = "HH:MM-HH:MM", .form = &config_form_window,
     .reloads = true, .about = "collect only between these local times; absent: at any time"},

    {"log.level", CONFIG_TEXT, AT(log.level), .fallback = "info", .values = levels, .reloads = true,
     .about = "least important messages to write"},
    {"log.format", CONFIG_TEXT, AT(log.format), .fallback = "text", .values = formats, .reloads = true,
     .about = "text for people, json for machines"},
    {"log.access", CONFIG_BOOL, AT(log.access), .fallback = "true", .reloads = true,
     .about = "a line for each request"},
    {"log.audit", CONFIG_TEXT, AT(log.audit), .unit = "FILE", .reloads = true,
     .about = "file to which each write is appended as a line of JSON"},

    {"metrics.enabled", CONFIG_BOOL, AT(metrics.enabled), .fallback = "true",
     .about = "serve /metrics for Prometheus"},
    {"metrics.per_repository", CONFIG_BOOL, AT(metrics.per_repository), .fallback = "false",
     .about = "count by repository too; many repositories make many series"},
};
const size_t config_settings_count = COUNT(config_settings);

const struct config_setting *config_setting_find(berth_str key)
{
    for (size_t i = 0; i < config_settings_count; i++)
        if (str_eq(str_from(config_settings[i].key), key))
            return &config_settings[i];
    return NULL;
}

berth_str config_section(const struct config_setting *s)
{
    berth_str section, name;
    return str_cut(str_from(s->key), '.', &section, &name) ? section : STR_NULL;
}

berth_str config_name(const struct config_setting *s)
{
    berth_str section = config_section(s);
    return str_from_offset(str_from(s->key), section.n ? section.n + 1 : 0);
}

bool config_in_file(const struct config_setting *s)
{
    return s->type != CONFIG_TLS;
}

bool config_is_section(berth_str name)
{
    for (size_t i = 0; i < config_settings_count; i++)
        if (name.n && config_in_file(&config_settings[i]) &&
            str_eq(config_section(&config_settings[i]), name))
            return true;
    return false;
}

void config_add_flag(const struct config_setting *s, berth_buf *out)
{
    berth_buf_add_str(out, STR("--"));
    for (const char *p = s->key; *p; p++)
        berth_buf_putc(out, *p == '.' || *p == '_' ? '-' : *p);
}

void config_add_variable(const struct config_setting *s, berth_buf *out)
{
    berth_buf_add_str(out, STR("BERTH_"));
    for (const char *p = s->key; *p; p++)
        berth_buf_putc(out, *p == '.' ? '_' : *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p);
}

/* Edits that turn one into the other; words longer than any key are far from all. */
static unsigned distance(berth_str a, berth_str b)
{
    enum { LONGEST = 48 };
    unsigned row[LONGEST + 1];
    if (a.n > LONGEST || b.n > LONGEST)
        return LONGEST;
    for (unsigned j = 0; j <= b.n; j++)
        row[j] = j;
    for (unsigned i = 1; i <= a.n; i++) {
        unsigned corner = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= b.n; j++) {
            unsigned change = corner + (a.p[i - 1] != b.p[j - 1]);
            corner = row[j];
            row[j] = MIN(change, MIN(row[j], row[j - 1]) + 1);
        }
    }
    return row[b.n];
}

struct nearest {
    berth_str wanted, key;
    unsigned edits;
};

static void consider(struct nearest *n, berth_str key)
{
    unsigned edits = distance(n->wanted, key);
    if (key.n && edits < n->edits) {
        n->edits = edits;
        n->key = key;
    }
}

berth_str config_nearest(berth_str path)
{
    size_t dot = path.n;
    while (dot && path.p[dot - 1] != '.')
        dot--;
    berth_str parent = str_head(path, dot ? dot - 1 : 0), list, index;
    struct nearest n = {.wanted = str_from_offset(path, dot), .edits = 3};
    bool in_list = str_cut(parent, '[', &list, &index);
    for (size_t i = 0; i < config_settings_count; i++) {
        const struct config_setting *s = &config_settings[i];
        for (size_t f = 0; in_list && str_eq(str_from(s->key), list) && f < s->n_fields; f++)
            consider(&n, str_from(s->fields[f].key));
        if (!in_list && config_in_file(s) && str_eq(config_section(s), parent))
            consider(&n, config_name(s));
        if (!parent.n && config_in_file(s))
            consider(&n, config_section(s));
    }
    return n.edits < n.wanted.n ? n.key : STR_NULL;
}

const char *const config_client_variables[] = {"BERTH_DEFAULT_REGISTRY", "BERTH_DEFAULT_NAMESPACE",
                                               "BERTH_DEFAULT_TAG",      "BERTH_PROTOCOL",
                                               "BERTH_DEFAULT_PROTOCOL", "BERTH_CA_FILE",
                                               "BERTH_CACERTS",          "BERTH_CREDENTIALS_STORE",
                                               "BERTH_CHUNK_SIZE",       "BERTH_DEBUG",
                                               "BERTH_HOSTS_FILE",       NULL};

bool config_nearest_variable(berth_str name, berth_buf *out)
{
    struct nearest n = {.wanted = name, .edits = 4};
    for (const char *const *v = config_client_variables; *v; v++) {
        unsigned before = n.edits;
        if (str_eq(str_from(*v), name))
            return true;
        consider(&n, str_from(*v));
        if (n.edits == before)
            continue;
        berth_buf_reset(out);
        berth_buf_add_str(out, str_from(*v));
    }
    for (size_t i = 0; i < config_settings_count; i++) {
        CLEANUP(berth_buf_done) berth_buf variable = BERTH_BUF_INIT(KIB);
        if (config_settings[i].file_only)
            continue;
        config_add_variable(&config_settings[i], &variable);
        if (str_eq(berth_buf_str(&variable), name))
            return true;
        unsigned before = n.edits;
        consider(&n, berth_buf_str(&variable));
        if (n.edits < before) {
            berth_buf_reset(out);
            berth_buf_add_str(out, berth_buf_str(&variable));
        }
    }
    return false;
}
