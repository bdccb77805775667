import { describe, expect, it } from 'vitest';
import { parseMetrics } from './metrics.ts';

const MINE = 'ins-01m7zct7cg1az5348bykpv5605';
const line = (name: string, labels: string, value: string, guest = MINE, project = 'bth-abc123-37be6a2007') =>
  `${name}{${labels === '' ? '' : `${labels},`}name="${guest}",project="${project}",type="container"} ${value}`;
const whole = (guest?: string, project?: string) => [
  line('incus_cpu_effective_total', '', '2', guest, project),
  line('incus_cpu_seconds_total', 'cpu="0",mode="system"', '0.5', guest, project),
  line('incus_cpu_seconds_total', 'cpu="0",mode="user"', '1.25', guest, project),
  line('incus_cpu_seconds_total', 'cpu="1",mode="user"', '2', guest, project),
  line('incus_cpu_seconds_total', 'cpu="1",mode="idle"', '900', guest, project),
  line('incus_memory_MemAvailable_bytes', '', '5.2180992e+08', guest, project),
  line('incus_memory_MemTotal_bytes', '', '5.36870912e+08', guest, project),
  line('incus_memory_Shmem_bytes', '', '65536', guest, project),
  line('incus_network_receive_bytes_total', 'device="eth0"', '3160', guest, project),
  line('incus_network_receive_bytes_total', 'device="docker0"', '99999', guest, project),
  line('incus_network_transmit_bytes_total', 'device="eth0"', '2226', guest, project),
  line('incus_procs_total', '', '8', guest, project),
];

describe('V11: the engine’s metrics', () => {
  it('V11: processors are added up, idle time is not work, only Berth’s own card counts', () => {
    const text = [
      '# HELP incus_cpu_seconds_total x',
      '# TYPE incus_cpu_seconds_total counter',
      ...whole(),
      'incus_uptime_seconds 1',
    ];
    expect(parseMetrics(text.join('\n'), 'bth-abc123-')).toEqual([
      {
        instance: 'ins_01m7zct7cg1az5348bykpv5605',
        cpuSeconds: 3.75,
        cpuLimit: 2,
        memoryBytes: 536_870_912 - 521_809_920 + 65_536,
        memoryLimitBytes: 536_870_912,
        readBytes: null,
        writtenBytes: null,
        receivedBytes: 3160,
        sentBytes: 2226,
        processes: 8,
      },
    ]);
  });

  it('V11: disks are counted where the kernel counts them', () => {
    const disks = [
      line('incus_disk_read_bytes_total', 'device="vda"', '1000'),
      line('incus_disk_read_bytes_total', 'device="vdb"', '200'),
      line('incus_disk_written_bytes_total', 'device="vda"', '7'),
    ];
    expect(parseMetrics([...whole(), ...disks].join('\n'), 'bth-abc123-')[0]).toMatchObject({
      readBytes: 1200,
      writtenBytes: 7,
    });
  });

  it('V11: other installations, strangers and guests that just end are left out', () => {
    const text = [
      ...whole(MINE, 'bth-other1-37be6a2007'),
      ...whole('web', 'default'),
      ...whole('ins-01m7zct89d5akxzjjsb238wpbd').filter((each) => !each.includes('MemTotal')),
      'incus_cpu_seconds_total{cpu="0"',
      line('incus_cpu_seconds_total', 'mode="user"', 'NaN'),
    ];
    expect(parseMetrics(text.join('\n'), 'bth-abc123-')).toEqual([]);
    expect(parseMetrics('', 'bth-abc123-')).toEqual([]);
  });
});
