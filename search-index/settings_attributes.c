/* See settings_attributes.h. Names that say more stand before those that say less: `meta.tags`
 * before `meta`, names before patterns; where that leaves a choice, in the order of importance. */
#include "search-index/settings_attributes.h"

#include <stdlib.h>

#define NOWHERE SIZE_MAX

typedef struct {
    core_slice name;
    size_t rank;        /* its place among the searchable ones; NOWHERE: it is none */
    unsigned specifics; /* the more the earlier */
} named;

/* The first of the list that fits; NOWHERE: none. */
static size_t names_find(search_name_list list, core_slice name) {
    for (size_t i = 0; i < list.count; i++)
        if (search_attribute_fits(list.names[i], name))
            return i;
    return NOWHERE;
}

static unsigned name_specifics(core_slice name) {
    bool is_pattern = name.length > 0 && (name.data[0] == '*' || name.data[name.length - 1] == '*');
    return (is_pattern ? 0 : SEARCH_ATTRIBUTE_NAME_MAX + 1) + (unsigned)name.length;
}

/* By rank; of one rank, which one entry of the searchable ones gives to several, those that say
 * more first. */
static int named_order(const void *a, const void *b) {
    const named *left = a, *right = b;
    if (left->rank != right->rank)
        return left->rank < right->rank ? -1 : 1;
    if (left->specifics != right->specifics)
        return left->specifics > right->specifics ? -1 : 1;
    return core_slice_compare(left->name, right->name);
}

/* Those that are not there yet; the new count. Of a rank are those that are searched. */
static size_t names_add(named *all, size_t count, const search_name_list *names,
                        search_name_list searchable) {
    for (size_t i = 0; i < names->count; i++) {
        size_t k = 0;
        while (k < count && !core_slice_equal(all[k].name, names->names[i]))
            k++;
        if (k == count)
            all[count++] = (named){.name = names->names[i],
                                   .rank = names_find(searchable, names->names[i]),
                                   .specifics = name_specifics(names->names[i])};
    }
    return count;
}

static size_t names_gather(const search_attribute_lists *lists, named *all) {
    const search_name_list *const each[] = {&lists->searchable, &lists->filterable,
                                            &lists->sortable, &lists->displayed};
    size_t count = 0;
    for (size_t i = 0; i < CORE_COUNT_OF(each); i++)
        count = names_add(all, count, each[i], lists->searchable);
    if (lists->then != NULL)
        count = names_add(all, count, lists->then, (search_name_list){.count = 0});
    return count;
}

/* An entry must not hide one behind it that says more. */
static void names_settle(named *all, size_t count) {
    for (size_t i = 1; i < count; i++)
        for (size_t j = 0; j < i; j++)
            if (search_attribute_fits(all[j].name, all[i].name) &&
                !core_slice_equal(all[j].name, all[i].name)) {
                named moved = all[i];
                memmove(&all[j + 1], &all[j], (i - j) * sizeof *all);
                all[j] = moved;
                break;
            }
}

bool search_attributes_make(const search_attribute_lists *lists, core_arena *arena,
                            search_attribute **attributes, size_t *count) {
    const search_name_list *filterable = lists->then != NULL ? lists->then : &lists->filterable;
    size_t most = lists->searchable.count + lists->filterable.count + lists->sortable.count +
                  lists->displayed.count + filterable->count;
    named *all = core_arena_array(arena, most + 1, sizeof *all);
    *attributes = core_arena_array(arena, most + 1, sizeof **attributes);
    if (all == NULL || *attributes == NULL)
        return false;
    *count = names_gather(lists, all);
    if (*count > 1)
        qsort(all, *count, sizeof *all, named_order);
    names_settle(all, *count);
    double of = (double)lists->searchable.count;
    for (size_t i = 0; i < *count; i++)
        (*attributes)[i] = (search_attribute){
            .name = all[i].name,
            /* From near 2 down to 1: what stands first counts most, and nothing is lost. */
            .weight = all[i].rank == NOWHERE ? 0 : 2.0 - (double)(all[i].rank + 1) / of,
            .is_filterable = names_find(*filterable, all[i].name) != NOWHERE,
            .is_sortable = names_find(lists->sortable, all[i].name) != NOWHERE,
            .is_displayed = names_find(lists->displayed, all[i].name) != NOWHERE,
        };
    return true;
}
