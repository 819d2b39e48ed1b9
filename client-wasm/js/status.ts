// `<rejoin-status>`: the banner that says what happened to the connection and when it comes back.
//
// It only reads the socket that it is given: what is shown is a function of `socket.state`, `socket.outage` and the time.
// Nothing here touches the client's code, so this entry weighs the same with or without it; on a server it does nothing.
import type { Socket } from "./index.ts";

type Outage = NonNullable<Socket["outage"]>;

/** What the banner is drawn from, and what a renderer of the page's own gets. */
export interface StatusInfo extends Outage {
  /** `connected` for the two seconds after a recovery that was preceded by a shown outage. */
  state: Socket["state"];
}

/**
 * Texts by kind, by cause (which wins over its kind), and for the rest of the banner.
 * `{s}` in `retryIn` stands for whole seconds, 1 or more.
 */
export interface StatusTexts {
  [kindOrCause: string]: string;
  /** Countdown to the next attempt. */
  retryIn: string;
  /** An attempt is under way. */
  trying: string;
  /** No attempt is made while the browser is offline. */
  waiting: string;
  /** The button that tries at once. */
  retry: string;
  /** Shown for two seconds after recovery. */
  back: string;
}

const TEXTS: Record<string, StatusTexts> = {
  en: {
    lost: "The connection was lost.",
    offline: "You are offline.",
    network: "Your connection was interrupted.",
    restart: "Our server is restarting.",
    server: "Our server cannot be reached.",
    application: "We are updating. One moment, please.",
    denied: "You have no access. Please sign in with another account.",
    credentials: "Please sign in again.",
    replaced: "This page went on in another window.",
    "too-slow": "Your connection cannot keep up at the moment.",
    policy: "We had to end this connection. Please reload the page.",
    blocked: "Your network blocks live connections. Please try another network.",
    retryIn: "Trying again in {s} s",
    trying: "Trying again…",
    waiting: "We go on when you are online again.",
    retry: "Try now",
    back: "Back online",
  },
  es: {
    lost: "Se ha perdido la conexión.",
    offline: "No tienes conexión a internet.",
    network: "Tu conexión se ha interrumpido.",
    restart: "Nuestro servidor se está reiniciando.",
    server: "No se puede acceder a nuestro servidor.",
    application: "Estamos actualizando. Un momento, por favor.",
    denied: "No tienes acceso. Inicia sesión con otra cuenta.",
    credentials: "Vuelve a iniciar sesión.",
    replaced: "Esta página continúa en otra ventana.",
    "too-slow": "Tu conexión es demasiado lenta en este momento.",
    policy: "Hemos tenido que cerrar esta conexión. Recarga la página.",
    blocked: "Tu red bloquea las conexiones en vivo. Prueba con otra red.",
    retryIn: "Nuevo intento en {s} s",
    trying: "Intentando de nuevo…",
    waiting: "Seguiremos cuando vuelvas a tener conexión.",
    retry: "Intentar ahora",
    back: "Conexión restablecida",
  },
  de: {
    lost: "Die Verbindung ist abgebrochen.",
    offline: "Sie sind offline.",
    network: "Ihre Verbindung ist unterbrochen.",
    restart: "Unser Server startet neu.",
    server: "Unser Server ist nicht erreichbar.",
    application: "Wir aktualisieren gerade. Einen Moment bitte.",
    denied: "Sie haben keinen Zugriff. Bitte melden Sie sich mit einem anderen Konto an.",
    credentials: "Bitte melden Sie sich neu an.",
    replaced: "Diese Seite läuft in einem anderen Fenster weiter.",
    "too-slow": "Ihre Verbindung ist im Moment zu langsam.",
    policy: "Wir mussten diese Verbindung beenden. Bitte laden Sie die Seite neu.",
    blocked: "Ihr Netzwerk blockiert Live-Verbindungen. Bitte versuchen Sie ein anderes Netzwerk.",
    retryIn: "Neuer Versuch in {s} s",
    trying: "Neuer Versuch …",
    waiting: "Es geht weiter, sobald Sie wieder online sind.",
    retry: "Jetzt versuchen",
    back: "Wieder verbunden",
  },
  fr: {
    lost: "La connexion a été perdue.",
    offline: "Vous êtes hors ligne.",
    network: "Votre connexion est interrompue.",
    restart: "Notre serveur redémarre.",
    server: "Notre serveur est injoignable.",
    application: "Mise à jour en cours. Un instant, s’il vous plaît.",
    denied: "Vous n’avez pas accès. Connectez-vous avec un autre compte.",
    credentials: "Veuillez vous reconnecter à votre compte.",
    replaced: "Cette page continue dans une autre fenêtre.",
    "too-slow": "Votre connexion est trop lente pour le moment.",
    policy: "Nous avons dû fermer cette connexion. Veuillez recharger la page.",
    blocked: "Votre réseau bloque les connexions en direct. Essayez un autre réseau.",
    retryIn: "Nouvel essai dans {s} s",
    trying: "Nouvel essai…",
    waiting: "Nous reprendrons dès que vous serez en ligne.",
    retry: "Réessayer",
    back: "Connexion rétablie",
  },
  pt: {
    lost: "A conexão foi perdida.",
    offline: "Sem conexão à internet.",
    network: "A sua conexão foi interrompida.",
    restart: "O nosso servidor está a reiniciar.",
    server: "O nosso servidor está inacessível.",
    application: "Estamos a atualizar. Um momento, por favor.",
    denied: "Sem acesso. Entre com outra conta.",
    credentials: "Entre de novo na sua conta.",
    replaced: "Esta página continua noutra janela.",
    "too-slow": "A sua conexão está lenta demais neste momento.",
    policy: "Tivemos de encerrar esta conexão. Recarregue a página.",
    blocked: "A sua rede bloqueia conexões ao vivo. Tente outra rede.",
    retryIn: "Nova tentativa em {s} s",
    trying: "A tentar de novo…",
    waiting: "Continuamos quando estiver online.",
    retry: "Tentar agora",
    back: "Conexão restabelecida",
  },
};

/** Milliseconds that an outage lasts before it is shown, unless the page says otherwise. */
const DELAY = 500;
/** Milliseconds that "Back online" stays. */
const BACK = 2000;
/** Milliseconds between looks at the live countdown, while an outage is shown. */
const TICK = 200;
/** "Trying again…" stays at least this long (ms): a dial that is refused takes a few milliseconds, and text that flashes is not read. */
const TRYING = 600;

/** No banner: the page itself slept, was frozen or cached, or closed the socket. */
const SILENT_KINDS = ["page", "closed"];

// System colours follow the colour scheme, the page's or the reader's, and high contrast modes, by themselves.
const CSS = `
:host {
  position: fixed; z-index: var(--rejoin-status-z, 1000); display: block; pointer-events: none;
  inset: calc(env(safe-area-inset-top, 0px) + 12px) 12px auto; margin-inline: auto; width: fit-content; max-width: min(40rem, 100% - 24px);
}
[part=banner] {
  box-sizing: border-box; display: flex; flex-wrap: wrap; align-items: center; gap: 4px 12px; padding: 8px 8px 8px 14px; min-height: 48px;
  font: 500 15px/1.4 var(--rejoin-status-font, system-ui, sans-serif); pointer-events: auto;
  color: var(--rejoin-status-color, CanvasText); background: var(--rejoin-status-background, Canvas);
  border: 1px solid var(--rejoin-status-border, color-mix(in srgb, currentColor 22%, transparent));
  border-radius: var(--rejoin-status-radius, 12px); box-shadow: var(--rejoin-status-shadow, 0 6px 24px #0003);
  animation: arrive .18s ease-out;
}
.auto { color-scheme: light dark }
[hidden] { display: none !important }
[part=mark] { width: 10px; height: 10px; border-radius: 50%; background: var(--rejoin-status-mark, #d9480f) }
:host([data-kind=application]) [part=mark] { background: var(--rejoin-status-mark, #3b82f6) }
:host([data-state=connected]) [part=mark] { background: var(--rejoin-status-mark, #16a34a) }
[part=text] { flex: 1 1 12rem; overflow-wrap: anywhere; padding-inline-end: 6px }
[part=countdown] { display: block; font-weight: 400; font-size: 14px; opacity: .85; font-variant-numeric: tabular-nums }
[part=button] {
  min-height: 34px; padding: 4px 14px; font: inherit; color: inherit; background: none; cursor: pointer;
  border: 1px solid currentColor; border-radius: 8px;
}
[part=button]:hover { background: #8883 }
[part=button]:focus-visible { outline: 3px solid #3b82f6; outline-offset: 2px }
@keyframes arrive { from { transform: translateY(-6px) } }
@media (prefers-reduced-motion: reduce) { [part=banner] { animation: none } }
`;

let sheet: CSSStyleSheet | undefined;

// A server has no HTMLElement to extend; the class is never constructed there.
const Base: typeof HTMLElement = globalThis.HTMLElement ?? (class {} as typeof HTMLElement);

/**
 * The default banner: `document.querySelector("rejoin-status").socket = socket`.
 *
 * The host carries `data-state`, `data-kind` and `data-cause` at all times, `data-shown` while something is drawn. Parts: `banner`,
 * `mark`, `text`, `countdown`, `button`. Properties: `--rejoin-status-` `background`, `color`, `border`, `mark`, `radius`,
 * `shadow`, `font`, `z`. It lies over the page's top; `position: static` puts it where it stands in the page.
 */
export class RejoinStatus extends Base {
  #socket: Socket | null = null;
  #renderer: ((info: StatusInfo | null) => void) | null = null;
  #texts: Partial<StatusTexts> = {};
  #delay = DELAY;

  #listening: AbortController | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #leaving = false;
  /** The outage on show, as last seen; kept through "Back online". */
  #outage: Outage | null = null;
  /** When the outage under way began (ms, Date.now), shown or not. */
  #since: number | null = null;
  /** When the outage on show ended (ms, Date.now); null while it lasts. */
  #backAt: number | null = null;
  /** Until when "Trying again…" stays (ms, Date.now). */
  #tryingUntil = 0;
  /** What was last told, and whether the page took it: a renderer, or a listener that prevented the default. */
  #told = "";
  #claimed = false;
  #focusBefore: HTMLElement | null = null;

  #banner!: HTMLElement;
  #message!: HTMLElement;
  #countdown!: HTMLElement;
  #button!: HTMLButtonElement;

  static get observedAttributes(): string[] {
    return ["delay"];
  }

  /** The socket that is shown; `null` shows nothing. */
  get socket(): Socket | null {
    return this.#socket;
  }
  set socket(socket: Socket | null | undefined) {
    if (socket === this.#socket) return;
    this.#detach();
    this.#socket = socket ?? null;
    this.#attach();
  }

  /**
   * Draws instead of the default: called with what is to be shown at each change, once a second during a countdown, and with
   * `null` when it is over. A listener of the event `status` gets the same as `detail`, and draws instead by `preventDefault()`.
   */
  get renderer(): ((info: StatusInfo | null) => void) | null {
    return this.#renderer;
  }
  set renderer(renderer: ((info: StatusInfo | null) => void) | null | undefined) {
    this.#renderer = renderer ?? null;
    this.#told = "";
    this.#update();
  }

  /** Texts of the page's own, over those of its language. */
  get texts(): Partial<StatusTexts> {
    return this.#texts;
  }
  set texts(texts: Partial<StatusTexts> | null | undefined) {
    this.#texts = texts ?? {};
    this.#update();
  }

  /** Milliseconds, from the first drop, before an outage is shown; also the attribute `delay`. Default 500. */
  get delay(): number {
    return this.#delay;
  }
  set delay(ms: number) {
    this.#delay = Number.isFinite(ms) && ms >= 0 ? ms : DELAY;
    this.#update();
  }

  attributeChangedCallback(_name: string, _old: string | null, value: string | null): void {
    this.delay = value === null || value === "" ? DELAY : Number(value);
  }

  connectedCallback(): void {
    // What a page set before this script had run hides the accessors of the class.
    for (const name of ["socket", "renderer", "texts", "delay"]) {
      if (!Object.hasOwn(this, name)) continue;
      const value = Reflect.get(this, name);
      Reflect.deleteProperty(this, name);
      Reflect.set(this, name, value);
    }
    if (!this.hasAttribute("role")) this.setAttribute("role", "status");
    if (!this.hasAttribute("aria-live")) this.setAttribute("aria-live", "polite");
    if (!this.shadowRoot) this.#build();
    this.#attach();
  }

  disconnectedCallback(): void {
    this.#detach();
  }

  #build(): void {
    const root = this.attachShadow({ mode: "open" });
    if (!sheet) {
      sheet = new CSSStyleSheet();
      sheet.replaceSync(CSS);
    }
    root.adoptedStyleSheets = [sheet];
    const add = <K extends keyof HTMLElementTagNameMap>(parent: Node, tag: K, part: string) => {
      const element = document.createElement(tag);
      element.setAttribute("part", part);
      return parent.appendChild(element);
    };
    this.#banner = add(root, "div", "banner");
    this.#banner.hidden = true;
    add(this.#banner, "span", "mark");
    const text = add(this.#banner, "span", "text");
    this.#message = text.appendChild(document.createElement("span"));
    this.#countdown = add(text, "span", "countdown");
    this.#countdown.setAttribute("aria-hidden", "true"); // a figure that changes each second is not to be read aloud each second
    this.#button = add(this.#banner, "button", "button");
    this.#button.type = "button";
    this.#button.onclick = () => this.#socket?.retry();
    this.#button.onfocus = (event) => {
      this.#focusBefore = event.relatedTarget as HTMLElement | null;
    };
  }

  #attach(): void {
    if (!this.#socket || !this.isConnected || this.#listening) return;
    const { signal } = (this.#listening = new AbortController());
    const update = () => this.#update();
    for (const event of ["state", "disconnect", "cause", "reconnect"] as const) this.#socket.on(event, update, { signal });
    // A page that is left or reloaded loses its socket, which is no news to show.
    const leave = (event: Event) => {
      this.#leaving = event.type === "pagehide";
      this.#update();
    };
    addEventListener("pagehide", leave, { signal });
    addEventListener("pageshow", leave, { signal });
    this.#leaving = false;
    this.#update();
  }

  #detach(): void {
    this.#listening?.abort();
    this.#listening = null;
    this.#outage = this.#since = null;
    this.#update();
  }

  /** Looks at the socket and the clock, draws, and arms the one timer. Early and repeated calls are harmless. */
  #update(): void {
    clearTimeout(this.#timer);
    const socket = this.#listening && this.#socket;
    const info = socket ? this.#look(socket, Date.now()) : null;
    this.#reflect("state", socket?.state);
    this.#reflect("kind", socket?.outage?.kind);
    this.#reflect("cause", socket?.outage?.cause);
    const news = info ? [info.state, info.kind, info.cause, info.willRetry, info.attempt, seconds(info)].join() : "";
    if (news !== this.#told) {
      this.#told = news;
      this.#claimed = !this.dispatchEvent(new CustomEvent("status", { detail: info, cancelable: true })) || !!this.#renderer;
      this.#renderer?.(info);
    }
    if (this.shadowRoot) this.#draw(this.#claimed ? null : info);
  }

  /** What is to be shown at `now`; arms the timer for the moment at which that may change without an event. */
  #look(socket: Socket, now: number): StatusInfo | null {
    const wake = (ms: number) => {
      this.#timer = setTimeout(() => this.#update(), ms);
    };
    const outage = socket.outage;
    if (outage && !this.#leaving && this.#concerns(socket, outage)) {
      this.#since ??= outage.since;
      // The wall clock may have been set back since the drop: never wait longer than the delay.
      const wait = Math.min(this.#since + this.#delay - now, this.#delay);
      if (!this.#outage) {
        // Connected, and only catching up: not worth a banner of its own.
        if (socket.state === "connected") return null;
        if (wait > 0) {
          wake(wait);
          return null;
        }
      }
      this.#outage = outage;
      this.#backAt = null;
      if (outage.willRetry) wake(TICK);
      return { ...outage, state: socket.state };
    }
    if (!outage) this.#since = null;
    if (this.#outage && socket.state === "connected" && !this.#leaving) {
      this.#backAt ??= now;
      const left = this.#backAt + BACK - now;
      if (left > 0) {
        wake(left);
        return { ...this.#outage, state: "connected", retryInMs: null };
      }
    }
    this.#outage = null;
    this.#backAt = null;
    return null;
  }

  /** A page that is still opening, of an application that is, has nothing to report yet. */
  #concerns(socket: Socket, { kind, cause }: Outage): boolean {
    return !SILENT_KINDS.includes(kind) && !(socket.state === "connecting" && cause === "not-ready");
  }

  #reflect(name: string, value: string | undefined): void {
    if (value === this.dataset[name]) return;
    if (value) this.dataset[name] = value;
    else delete this.dataset[name];
  }

  #draw(info: StatusInfo | null): void {
    const language = (this.closest<HTMLElement>("[lang]")?.lang || document.documentElement.lang).split("-")[0]!.toLowerCase();
    const known = language in TEXTS ? language : "en";
    const texts = { ...TEXTS[known], ...this.#texts } as StatusTexts;
    const back = info?.state === "connected";

    if (info) {
      const countdown = back ? "" : this.#next(info, texts);
      put(this.#message, back ? texts.back : (texts[info.cause] ?? texts[info.kind] ?? texts.lost!));
      put(this.#countdown, countdown);
      put(this.#button, texts.retry);
      this.#banner.lang = known;
      // A page that declares no colour scheme of its own leaves the choice to the reader's.
      this.#banner.className = getComputedStyle(this).colorScheme === "normal" ? "auto" : "";
    }
    if ((!info || back) && this.shadowRoot!.activeElement === this.#button) this.#focusBefore?.focus();
    this.#button.hidden = back;
    this.#banner.hidden = !info;
    this.toggleAttribute("data-shown", info !== null);
  }

  /** The second line: when the next attempt is made, or nothing where none will be. */
  #next(info: StatusInfo, texts: StatusTexts): string {
    if (!info.willRetry) return "";
    const now = Date.now();
    const left = seconds(info);
    if (!left) {
      if (info.cause === "offline") return texts.waiting;
      if (now >= this.#tryingUntil) this.#tryingUntil = now + TRYING;
    }
    return now < this.#tryingUntil ? texts.trying : texts.retryIn.replace("{s}", String(left));
  }
}

/** Whole seconds to the next attempt, rounded up; 0 while one is under way or none is planned. */
function seconds({ retryInMs }: Outage): number {
  return Math.max(0, Math.ceil((retryInMs ?? 0) / 1000));
}

/** Writes only what changed: an equal text written again would be announced again. */
function put(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

// Two bundles of one page may both carry this entry; the first one defines the element.
if (globalThis.customElements && !customElements.get("rejoin-status")) customElements.define("rejoin-status", RejoinStatus);

declare global {
  interface HTMLElementTagNameMap {
    "rejoin-status": RejoinStatus;
  }
}
