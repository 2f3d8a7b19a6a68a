// Triggers' conditions over two images held against PostgreSQL, ten times the suite's random ones.
// What integration/conditions_images.test.mjs says, with 25,000 conditions; some minutes.
process.env.WALCAST_CONDITIONS ??= '10';
await import('../integration/conditions_images.test.mjs');
