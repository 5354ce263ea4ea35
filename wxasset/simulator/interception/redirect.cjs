// Loaded into Node by NODE_OPTIONS: connections to hosts of WeChat lead to the simulator, in every version of Node and
// with every library, as many of them know no proxy. Names and certificates are checked as usual.
"use strict";

const net = require("node:net");

const hosts = new RegExp(HOSTS, "i");
const address = ADDRESS;
const ports = PORTS;
const connect = net.Socket.prototype.connect;

function redirected(options) {
  if (options === null || typeof options !== "object" || !hosts.test(options.host)) return options;
  const port = ports[options.port];
  return port === undefined ? options : { ...options, host: address, port };
}

net.Socket.prototype.connect = function (...args) {
  if (Array.isArray(args[0])) args[0][0] = redirected(args[0][0]);
  else args[0] = redirected(args[0]);
  return connect.apply(this, args);
};
