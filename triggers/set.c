/* See set.h. */
#include "triggers/set.h"

#include <stdatomic.h>
#include <stdlib.h>

#define SET_MAGIC UINT32_C(0x54534554) /* "TSET" */

typedef struct {
    uint32_t magic;
    atomic_uint references;
    triggers_set set;
    const triggers_definition *definitions[];
} counted_set;

static counted_set *set_of(const triggers_set *set) {
    counted_set *it = (counted_set *)((uintptr_t)set - offsetof(counted_set, set));
    CORE_MAGIC_CHECK(it, SET_MAGIC);
    return it;
}

static int place_compare(const triggers_definition *a, core_slice project, core_slice name) {
    int order = core_slice_compare(a->project, project);
    return order != 0 ? order : core_slice_compare(a->name, name);
}

static int definition_compare(const void *a, const void *b) {
    const triggers_definition *one = *(const triggers_definition *const *)a;
    const triggers_definition *other = *(const triggers_definition *const *)b;
    return place_compare(one, other->project, other->name);
}

const triggers_set *triggers_set_new(const triggers_definition *const *definitions, size_t count,
                                     uint64_t generation, uint64_t revision) {
    counted_set *it = calloc(1, sizeof *it + count * sizeof definitions[0]);
    if (it == NULL)
        return NULL;
    it->magic = SET_MAGIC;
    atomic_init(&it->references, 1);
    for (size_t i = 0; i < count; i++)
        it->definitions[i] = triggers_definition_hold(definitions[i]);
    if (count > 1)
        qsort(it->definitions, count, sizeof it->definitions[0], definition_compare);
    it->set = (triggers_set){.generation = generation,
                             .revision = revision,
                             .count = count,
                             .definitions = it->definitions};
    return &it->set;
}

const triggers_set *triggers_set_hold(const triggers_set *set) {
    (void)atomic_fetch_add_explicit(&set_of(set)->references, 1, memory_order_relaxed);
    return set;
}

void triggers_set_release(const triggers_set *set) {
    if (set == NULL)
        return;
    counted_set *it = set_of(set);
    if (atomic_fetch_sub_explicit(&it->references, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < set->count; i++)
        triggers_definition_release(set->definitions[i]);
    it->magic = 0;
    free(it);
}

size_t triggers_set_place(const triggers_set *set, core_slice project, core_slice name) {
    size_t low = 0, high = set->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = place_compare(set->definitions[middle], project, name);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return set->count;
}

const triggers_definition *triggers_set_find(const triggers_set *set, core_slice project,
                                             core_slice name) {
    size_t place = triggers_set_place(set, project, name);
    return place < set->count ? set->definitions[place] : NULL;
}
