/* The haversine formula; see geo.h. */
#include "search-index/geo.h"

#include <math.h>

/* The mean radius (IUGG). */
static const double earth_metres = 6371008.8;

static double radians(double degrees) {
    return degrees * (3.14159265358979323846 / 180);
}

double search_geo_metres(double latitude, double longitude, double other_latitude,
                         double other_longitude) {
    double up = sin(radians(other_latitude - latitude) / 2);
    double along = sin(radians(other_longitude - longitude) / 2);
    double part = up * up + cos(radians(latitude)) * cos(radians(other_latitude)) * along * along;
    return 2 * earth_metres * asin(sqrt(part < 1 ? part : 1));
}
