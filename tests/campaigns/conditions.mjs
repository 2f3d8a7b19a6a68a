// Conditions held against PostgreSQL, ten times the suite's random ones: what conditions_images and
// conditions_times in integration/ say; a quarter of an hour.
process.env.WALCAST_CONDITIONS ??= '10';
await import('../integration/conditions_images.test.mjs');
await import('../integration/conditions_times.test.mjs');
