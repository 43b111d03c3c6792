/* tests/fault/world.h - a registry on a real folder with a bit of everything in it, made once and copied for
 * each run; what must be there whatever fails; and that nothing is left when all of it is deleted. */
#ifndef FAULT_WORLD_H
#define FAULT_WORLD_H

#include "fixture.h"

#define APP    "team/app"  /* what the operations work on */
#define KEPT   "keep/it"   /* holds the same content, and is touched by none */
#define SOURCE "other/src" /* to mount from */

struct world {
    struct fixture f;
    char dir[256];
    bool later; /* leases are over, by the clock of this world */
    bool again; /* the operation ran before */
};

/* What the template holds; the same in every copy. */
struct seed {
    berth_digest config, layer, loose, image, child, index, referrer, untagged, mountable;
    berth_str layer_body, mountable_body;
    berth_str large_body, huge_body; /* not pushed yet */
    berth_str manifest_body;         /* nor this: its subject is there, one of its layers is not */
    char fresh[37], part[37];        /* sessions of APP: nothing yet; 300 bytes of layer_body's like */
    berth_str part_body;             /* what "part" will be: 1000 bytes */
    char orphan[IO_KEY_SIZE];        /* an object of nobody, in copies made with @damaged */
    char layouts[256];               /* a folder of layouts with an image to import: imported:v1 */
    char tree[256];                  /* the same as distribution keeps it, and a manifest without a tag */
    berth_digest imported, imported_layer, revision;
};
extern struct seed seed;

void worlds_begin(void);
void worlds_end(void);

/* A copy of the template, or an empty folder. @damaged: an object is missing while another holds its bytes,
 * one has a flipped bit, one belongs to nobody. */
void world_make(struct world *w, bool empty, bool damaged);
/* Its database, which is closed, becomes one of the first version of the schema. */
void world_age(struct world *w);
/* A page of the tags in its database, which is closed, becomes zeros. */
void world_tear(struct world *w);
int world_salvage(struct world *w, const struct repo_salvage_options *o, struct repo_salvage_result *ret,
                  berth_error *err);
/* Opens database, store and rules over the folder. After a failure nothing is open. */
int world_open(struct world *w, berth_error *err);
void world_close(struct world *w); /* what world_open() opened */
void world_remove(struct world *w);

/* All that was acknowledged before, and nothing that repo_check() minds. */
void world_check_kept(struct world *w, const char *what, unsigned n);
/* Deletes everything and collects: no row and no object may remain. */
void world_check_drains(struct world *w, const char *what, unsigned n);

#endif
