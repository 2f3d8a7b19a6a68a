/* See slots.h. Names that were looked up stay in a table, whatever came of it, so that a document's
 * attributes cost one look each. */
#include "search-index/slots.h"

#define PLACES 4096u /* more than twice the names of either kind: a power of two */

static bool is_pattern(core_slice name) {
    return name.data[0] == '*' || name.data[name.length - 1] == '*';
}

/* The weight stays what the first attribute of the slot brought. */
static void slot_weigh(search_slots *slots, uint32_t slot, double weight) {
    if (slots->weights[slot] == 0)
        slots->weights[slot] = weight;
}

static uint32_t fixed_count(const search_schema_spec *spec, bool *has_pattern) {
    uint32_t count = 0;
    *has_pattern = false;
    for (size_t i = 0; i < spec->attribute_count; i++) {
        if (spec->attributes[i].weight > 0 && is_pattern(spec->attributes[i].name))
            *has_pattern = true;
        else if (spec->attributes[i].weight > 0)
            count++;
    }
    return count;
}

bool search_slots_init(search_slots *slots, search_schema *schema) {
    bool has_pattern;
    *slots = (search_slots){.schema = search_schema_retain(schema)};
    slots->fixed = fixed_count(search_schema_get(schema), &has_pattern);
    slots->count = slots->fixed + (has_pattern ? SEARCH_SLOTS_FOUND : 0);
    if (slots->count == 0)
        slots->count = 1; /* a file needs one */
    core_arena_init(&slots->arena, 8192, (size_t)2 << 20);
    slots->names = core_arena_array(&slots->arena, 2 * SEARCH_SLOT_NAMES_MAX, sizeof *slots->names);
    slots->places = core_arena_array(&slots->arena, PLACES, sizeof *slots->places);
    slots->weights = core_arena_array(&slots->arena, slots->count, sizeof *slots->weights);
    if (slots->names == NULL || slots->places == NULL || slots->weights == NULL) {
        search_slots_fini(slots);
        return false;
    }
    search_slots_weigh(slots, schema);
    return true;
}

void search_slots_fini(search_slots *slots) {
    core_arena_fini(&slots->arena);
    search_schema_release(slots->schema);
    *slots = (search_slots){.count = 0};
}

static uint32_t *place_of(const search_slots *slots, core_slice name, uint64_t hash) {
    uint32_t at = (uint32_t)hash & (PLACES - 1);
    for (; slots->places[at] != 0; at = (at + 1) & (PLACES - 1)) {
        const search_slot_name *found = &slots->names[slots->places[at] - 1];
        if (found->hash == hash && core_slice_equal(found->name, name))
            break;
    }
    return &slots->places[at];
}

/* Found ones have their own count: whether one is remembered must not depend on what else this
 * process met, for an attribute's words are taken out of the slot that they were put in. */
static bool name_add(search_slots *slots, core_slice name, uint32_t slot, bool is_found) {
    uint32_t alike = is_found ? slots->found_names : slots->name_count - slots->found_names;
    if (alike == SEARCH_SLOT_NAMES_MAX)
        return false;
    search_slot_name *made = &slots->names[slots->name_count];
    *made = (search_slot_name){.name = core_arena_copy(&slots->arena, name),
                               .hash = core_slice_hash(name),
                               .slot = slot,
                               .is_found = is_found};
    if (made->name.data == NULL)
        return false;
    *place_of(slots, name, made->hash) = ++slots->name_count;
    slots->found_names += is_found;
    return true;
}

/* The schema's entry for it, and how many searchable fixed ones stand before. */
static const search_attribute *entry_of(const search_slots *slots, core_slice name,
                                        uint32_t *before) {
    const search_schema_spec *spec = search_schema_get(slots->schema);
    *before = 0;
    for (size_t i = 0; i < spec->attribute_count; i++) {
        const search_attribute *entry = &spec->attributes[i];
        if (search_attribute_fits(entry->name, name))
            return entry;
        *before += entry->weight > 0 && !is_pattern(entry->name);
    }
    return NULL;
}

/* The last slot is for all that come too late. */
static uint32_t slot_find(search_slots *slots, core_slice name, double weight) {
    uint32_t left = slots->count - slots->fixed - slots->found;
    uint32_t slot = left > 1 ? slots->fixed + slots->found : slots->count - 1;
    if (name_add(slots, name, slot, true))
        slots->found += left > 1;
    else
        slot = slots->count - 1;
    slot_weigh(slots, slot, weight);
    return slot;
}

void search_slots_weigh(search_slots *slots, search_schema *schema) {
    const search_schema_spec *spec = search_schema_get(schema);
    search_schema *before = slots->schema;
    slots->schema = search_schema_retain(schema);
    search_schema_release(before);
    memset(slots->weights, 0, slots->count * sizeof *slots->weights);
    uint32_t slot = 0;
    for (size_t i = 0; i < spec->attribute_count; i++)
        if (spec->attributes[i].weight > 0 && !is_pattern(spec->attributes[i].name))
            slots->weights[slot++] = spec->attributes[i].weight;
    for (uint32_t i = 0; i < slots->name_count; i++) {
        const search_attribute *entry = search_schema_find(schema, slots->names[i].name);
        if (slots->names[i].is_found && entry != NULL)
            slot_weigh(slots, slots->names[i].slot, entry->weight);
    }
}

uint32_t search_slots_of(search_slots *slots, core_slice attribute) {
    uint32_t place = *place_of(slots, attribute, core_slice_hash(attribute));
    if (place != 0)
        return slots->names[place - 1].slot;
    uint32_t slot = 0;
    const search_attribute *entry = entry_of(slots, attribute, &slot);
    if (entry != NULL && entry->weight > 0 && is_pattern(entry->name))
        return slot_find(slots, attribute, entry->weight);
    if (entry == NULL || entry->weight == 0)
        slot = SEARCH_SLOT_NONE;
    (void)name_add(slots, attribute, slot, false); /* else it is looked up again each time */
    return slot;
}

bool search_slots_restore(search_slots *slots, core_slice attribute, uint32_t slot) {
    uint32_t before;
    const search_attribute *entry = entry_of(slots, attribute, &before);
    if (slot < slots->fixed || slot >= slots->count || entry == NULL || entry->weight == 0 ||
        !name_add(slots, attribute, slot, true))
        return false;
    slot_weigh(slots, slot, entry->weight);
    if (slot != slots->count - 1 && slot - slots->fixed + 1 > slots->found)
        slots->found = slot - slots->fixed + 1;
    return true;
}

bool search_slots_copy(search_slots *to, const search_slots *from) {
    search_slots made;
    if (!search_slots_init(&made, from->schema))
        return false;
    for (uint32_t i = 0; i < from->name_count; i++) {
        if (!name_add(&made, from->names[i].name, from->names[i].slot, from->names[i].is_found)) {
            search_slots_fini(&made);
            return false;
        }
    }
    memcpy(made.weights, from->weights, from->count * sizeof *made.weights);
    made.found = from->found;
    made.kept = from->kept;
    search_slots_fini(to);
    *to = made;
    return true;
}

/* ---- For readers ---- */
static core_slice fixed_name(const search_slots *slots, uint32_t slot) {
    const search_schema_spec *spec = search_schema_get(slots->schema);
    for (size_t i = 0; i < spec->attribute_count; i++) {
        if (spec->attributes[i].weight == 0 || is_pattern(spec->attributes[i].name))
            continue;
        if (slot-- == 0)
            return spec->attributes[i].name;
    }
    return core_slice_make(NULL, 0);
}

core_slice search_slots_name(const search_slots *slots, uint32_t slot) {
    if (slot < slots->fixed)
        return fixed_name(slots, slot);
    for (uint32_t i = 0; i < slots->name_count; i++)
        if (slots->names[i].is_found && slots->names[i].slot == slot)
            return slots->names[i].name;
    return core_slice_make(NULL, 0);
}

static bool name_serves(core_slice name, const core_slice *wanted, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if (search_attribute_fits(wanted[i], name) || search_attribute_fits(name, wanted[i]))
            return true;
    return false;
}

bool search_slots_serve(const search_slots *slots, uint32_t slot, const core_slice *wanted,
                        uint32_t count) {
    if (slot < slots->fixed)
        return name_serves(fixed_name(slots, slot), wanted, count);
    for (uint32_t i = 0; i < slots->name_count; i++)
        if (slots->names[i].is_found && slots->names[i].slot == slot &&
            name_serves(slots->names[i].name, wanted, count))
            return true;
    return false;
}
