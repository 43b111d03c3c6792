/* tests/unit/content/layout.h - a layout in a test's own folder, and what tests put into it. */
#ifndef CONTENT_LAYOUT_H
#define CONTENT_LAYOUT_H

#include <berth/layout.h>

#include "fixture.h"
#include "util/buf.h"

#define ABC "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static UNUSED berth_layout *layout_in(const struct world *w, bool create)
{
    berth_layout *l = NULL;
    char path[80];
    snprintf(path, sizeof(path), "%s/layout", w->path);
    CHECK_OK(berth_layout_open(path, create, &l, &test_err));
    return l;
}

/* An image whose only blob is "abc". */
static UNUSED berth_manifest *manifest_of(const char *note, const berth_descriptor *subject)
{
    static const berth_descriptor abc = {.media_type = "a/b", .digest = ABC, .size = 3};
    berth_builder *b = NULL;
    berth_manifest *m = NULL;
    CHECK_OK(berth_builder_new(BERTH_TYPE_OCI_MANIFEST, &b, &test_err));
    CHECK_OK(berth_builder_set_config(b, &abc, &test_err));
    CHECK_OK(berth_builder_set_annotation(b, "note", note, &test_err));
    if (subject)
        CHECK_OK(berth_builder_set_subject(b, subject, &test_err));
    CHECK_OK(berth_builder_finish(b, &m, &test_err));
    berth_builder_free(b);
    return m;
}

static UNUSED void put_abc(berth_layout *l)
{
    berth_layout_writer *out = NULL;
    CHECK_OK(berth_layout_writer_new(l, ABC, &out, &test_err));
    CHECK(berth_layout_writer_add(out, "abc", 3) == 0);
    CHECK_OK(berth_layout_writer_finish(out, NULL, &test_err));
    berth_layout_writer_free(out);
}

/* What stands at the place of a blob, whatever it should be. */
static UNUSED void overwrite(const struct world *w, const char *digest, const char *text)
{
    char path[200];
    snprintf(path, sizeof(path), "layout/blobs/sha256/%s", digest + 7);
    CLEANUP(closep) int fd = openat(w->base_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

static UNUSED int keep(void *arg, const void *p, size_t n)
{
    berth_buf_add(arg, p, n);
    return 0;
}

#endif
