import { setFlagsFromString } from "node:v8";

/**
 * V8 watches from which lines of code objects live long, and puts what they make later straight into
 * the old generation. It decides while the router starts, when everything that is made stays: also
 * what is made for every request in the same lines, such as the list of an answer's two listeners.
 * From then on each request leaves a dead old object behind, and all that it points to, some 4 KB,
 * is copied by the collector and kept until the next full collection.
 */
setFlagsFromString("--no-allocation-site-pretenuring");
