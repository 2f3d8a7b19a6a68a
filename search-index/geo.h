/* Distances on the earth, taken as a ball. */
#ifndef WALCAST_SEARCH_INDEX_GEO_H
#define WALCAST_SEARCH_INDEX_GEO_H

/* Between two points in degrees, by the haversine formula. */
double search_geo_metres(double latitude, double longitude, double other_latitude,
                         double other_longitude);

#endif
