/** From where the control plane (console, API, screens) may be entered. Instances' own addresses are not concerned. */
import { inNetworks, type Network, parseNetwork } from './networks.ts';

export const CONTROL_NETWORKS_MAX = 100;
export const CONTROL_COUNTRIES_MAX = 250;

/** As it is kept: neither networks nor countries, no limit; else whoever is in one of them may. */
export type ControlAccess = { networks: string[]; countries: string[] };
export const openToAll: ControlAccess = { networks: [], countries: [] };

/** Two capital letters (ISO 3166). */
export const COUNTRY = /^[A-Z]{2}$/;

const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((each) => typeof each === 'string');

/** What was read from the setting; null when it cannot be understood (then only the machine itself may enter). */
export function parseControlAccess(value: unknown): ControlAccess | null {
  if (value === null || value === undefined) return openToAll;
  if (typeof value !== 'object') return null;
  const networks = 'networks' in value ? value.networks : undefined;
  // Settings from before there were countries have none.
  const countries = 'countries' in value ? value.countries : [];
  return isTexts(networks) && isTexts(countries) ? { networks, countries } : null;
}

/** The country of an address; null: unknown, or there is no database to ask. */
export type CountryOf = (address: string) => string | null;

/**
 * A test "may this address enter?". `isOwn` tells addresses of the machine itself, from where it is always entered: so
 * that whoever shut everybody out, themselves too, can go there and open it again. Addresses of unknown country are in
 * none.
 */
export function controlGate(access: ControlAccess | null, isOwn: (address: string) => boolean, countryOf: CountryOf) {
  const networks = (access?.networks ?? []).map(parseNetwork).filter((each): each is Network => each !== null);
  const countries = new Set(access?.countries ?? []);
  const isOpen = access !== null && access.networks.length === 0 && access.countries.length === 0;
  const inCountries = (address: string): boolean => {
    const country = countries.size === 0 ? null : countryOf(address);
    return country !== null && countries.has(country);
  };
  return (address: string): boolean =>
    isOpen || inNetworks(address, networks) || isOwn(address) || inCountries(address);
}

/** What is told to whoever may not. */
export function controlRefusal(address: string): string {
  return `The console and the API are open to certain networks or countries only, and ${address} is in none of them.`;
}
