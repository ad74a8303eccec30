// The note's own client, written from its text word for word, faults included: pages that
// have it work with this server, and the tests of this folder say so.

function getCsrfToken() {
    return 'of-the-host';
}

export class PresenceManager {
    constructor(projectId, userId) {
        this.projectId = projectId;
        this.userId = userId;
        this.currentSection = null;
        this.updateInterval = null;
        this.fetchInterval = null;
        this.onlineUsers = [];
    }

    start() {
        // Update our presence every 30s
        this.updateInterval = setInterval(() => {
            this.updatePresence();
        }, 30000);

        // Fetch others' presence every 30s
        this.fetchInterval = setInterval(() => {
            this.fetchPresence();
        }, 30000);

        // Initial update
        this.updatePresence();
        this.fetchPresence();
    }

    async updatePresence() {
        if (!this.currentSection) return;

        await fetch(`/writer/api/project/${this.projectId}/presence/update/`, {
            method: 'POST',
            headers: {
                'Content-Type': 'application/json',
                'X-CSRFToken': getCsrfToken()
            },
            body: JSON.stringify({
                section: this.currentSection
            })
        });
    }

    async fetchPresence() {
        const response = await fetch(
            `/writer/api/project/${this.projectId}/presence/list/`
        );
        const data = await response.json();

        if (data.success) {
            this.onlineUsers = data.users.filter(u => u.user_id !== this.userId);
            this.updateUI();
        }
    }

    updateUI() {
        // Update section dropdown badge
        const badge = document.getElementById('presence-badge');
        if (badge && this.onlineUsers.length > 0) {
            badge.textContent = `📝 ${this.onlineUsers.length}`;
            badge.style.display = 'inline';
        }

        // Update tooltip with user list
        // TODO: Show "Alice (Abstract), Bob (Methods)" in dropdown
    }

    setSection(sectionId) {
        this.currentSection = sectionId;
        this.updatePresence(); // Immediate update on section change
    }

    stop() {
        clearInterval(this.updateInterval);
        clearInterval(this.fetchInterval);
    }
}
