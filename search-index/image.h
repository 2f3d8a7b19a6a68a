/* A row as an index keeps it: the values of the plan's columns as PostgreSQL writes them. From a
 * change, filled up with what was kept before where the change leaves values out (TOAST), to the
 * bytes that are kept, the document and its id. Pure. */
#ifndef WALCAST_SEARCH_INDEX_IMAGE_H
#define WALCAST_SEARCH_INDEX_IMAGE_H

#include "search-index/binding.h"

typedef struct {
    core_value *values; /* one a plan's column; slices of what it was taken from */
    size_t count;
} search_image;

/* Appends the value of a related member: an object, or an array of such. False: `out` is full, or
 * the index could not be asked. */
typedef bool search_related_writer(void *context, size_t related, const search_image *image,
                                   core_buffer *out);

/* The values of the row; columns that the table has no more are null. */
void search_image_take(const search_binding *binding, const core_tuple *tuple, search_image *image);
/* What is unchanged gets the kept row's value. */
void search_image_fill(search_image *image, const search_image *kept);
/* A value is still not known. */
bool search_image_has_holes(const search_image *image);

/* Appends the bytes to be kept. */
void search_image_write(const search_plan_table *table, const search_image *image,
                        core_buffer *out);
/* Slices of `bytes`. False: they are none, or of other columns. */
CORE_MUST_CHECK bool search_image_read(const search_plan_table *table, core_slice bytes,
                                       search_image *image);

/* Appends the document's id. False: a value of the key is not there. */
CORE_MUST_CHECK bool search_image_id(const search_plan *plan, const search_plan_table *table,
                                     const search_image *image, core_buffer *out);
/* Appends one key's text, as ids have it. */
CORE_MUST_CHECK bool search_image_key(const search_plan_table *table, const search_image *image,
                                      core_buffer *out);
/* Appends one of a key's parts, in their order. */
void search_key_part_append(core_slice text, size_t part, size_t parts, core_buffer *out);
/* Whether the row belongs: EXPR_VERDICT_TRUE without a condition. */
expr_verdict search_image_belongs(const search_binding *binding, const search_image *image);
/* Appends the document. False: `out` is full, or the writer failed. */
CORE_MUST_CHECK bool search_image_document(const search_binding *binding, const search_image *image,
                                           core_slice id, search_related_writer *related,
                                           void *context, core_buffer *out);
/* Appends the object of a related row. */
void search_image_object(const search_binding *binding, const search_image *image,
                         core_buffer *out);

#endif
